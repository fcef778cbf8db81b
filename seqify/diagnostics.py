"""Diagnostics: the codes seqify speaks in, and the places they point at."""

from __future__ import annotations

import enum
import os
from dataclasses import dataclass

__all__ = ["RULES", "Diagnostic", "Location", "Rule", "Severity"]


class Severity(enum.StrEnum):
    """How much a diagnostic weighs.

    An error stops the line, the layout or the command; a warning was converted, but look; a note informs.
    """

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Location:
    """A range in a file. Rows and columns count from 1, columns in characters; the end is exclusive."""

    filename: str
    row: int
    column: int = 1
    end_row: int | None = None
    end_column: int | None = None

    def __str__(self) -> str:
        return f"{self.shown}:{self.row}:{self.column}"

    @property
    def shown(self) -> str:
        """The file as a reader in the working folder would name it."""
        relative = os.path.relpath(self.filename)
        return self.filename if relative.startswith("..") or self.filename.startswith("<") else relative


@dataclass(frozen=True)
class Rule:
    """What a code means: one row of the table below."""

    code: str
    name: str
    severity: Severity
    summary: str
    help: str


@dataclass(frozen=True)
class Diagnostic:
    """One thing seqify has to say about one place."""

    code: str
    message: str
    location: Location | None = None
    help: str | None = None
    notes: tuple[str, ...] = ()
    level: Severity | None = None

    @property
    def name(self) -> str:
        return RULES[self.code].name

    @property
    def severity(self) -> Severity:
        return self.level or RULES[self.code].severity


# Codes come in hundreds by stage, so that a code tells where the story stopped. A code is never reused.
_TABLE = """
SQ001 E target-not-found | no such class or function in the file | name one that the file defines
SQ002 E target-needs-arguments | the target cannot be built without arguments | give them: `model.py:Net(width=64)`
SQ003 E import-failed | the user's file raised while it was imported | the file must import by itself
SQ004 E not-a-module | the target does not build an `nn.Module` | name a module class, a factory or an instance
SQ005 E input-unknown | no input was given and probing found none | `--input 8,3,64,64`
SQ006 E input-fails | the original model raises on this input | `--input` with another shape or dtype
SQ007 E build-failed | the target raised while it was built | other arguments: `model.py:Net(width=64)`
SQ008 E timed-out | the code did not finish in the time allowed | `--timeout SECONDS`
SQ009 E process-ended | the code ended seqify's process | run the file by itself: it must neither exit nor crash
SQ010 E revision-unknown | the git revision cannot be read | name a commit that the repository has: `--base origin/main`
SQ101 E value-branch | the path depends on a tensor's value | move the test out of forward
SQ102 E shape-branch | the path depends on the input's shape | move the test out of forward
SQ103 E mode-branch | train and eval run different calls | move what differs into a module of its own
SQ104 E untraceable-call | a Python or NumPy call needs the tensor's values | wrap the call in a module
SQ105 W state-written | forward assigns to `self` | such a step stays in forward
SQ106 E loose-random | forward draws random numbers that torch does not know of | draw them with torch, in a module
SQ107 W hooks-present | hooks are attached to the module itself | they move only if registered in `__init__`
SQ108 E does-not-hold | what was seen holds for this batch size, mode or surrounding alone | keep it out of forward
SQ201 N value-used-twice | a skip connection or branch: the line ends here | none needed; the parts convert
SQ202 N many-inputs | a call takes several tensors | it stays in forward
SQ203 N many-outputs | a call returns several values | it stays in forward
SQ204 N shared-weights | a module with weights is called more than once | it stays in forward, with one set of weights
SQ205 N reused-activation | a module without state is called more than once; each call gets its own | none needed
SQ207 W unused-module | registered, never called | it stays where it is, and so do its keys
SQ208 N line-too-short | too few layers for an `nn.Sequential`, left alone | lower `--min-length`
SQ209 N already-sequential | there is nothing to convert | none needed
SQ210 W unregistered-module | a module that is registered nowhere | hold it in an `nn.ModuleList`
SQ301 N no-module-form | no module does this | the line splits here
SQ302 W view-regroups-batch | `view(-1, n)` equals Flatten only for samples of n elements | `torch.flatten(x, 1)`
SQ303 W dropout-always-on | dropout without `training=` drops in eval too | `F.dropout(x, p, training=self.training)`
SQ304 W dropout-other-flag | `training=` is not `self.training` | it stays in forward
SQ305 W implicit-dim | softmax without `dim` chooses one by rank | write `dim=`
SQ307 N functional-weight | a parameter of the class is an argument | make it a layer first
SQ308 N runtime-argument | an argument is computed in forward | it stays in forward
SQ401 E no-source | the class has no source file that could be edited | save the class in a file
SQ402 E built-elsewhere | the layer is built in a loop, a helper or a condition | assign it in `__init__` by itself
SQ403 W attribute-used-elsewhere | an attribute that moves is used elsewhere | `--layout flat` keeps the name
SQ404 E inherited | `__init__` or `forward` comes from elsewhere | convert the class that defines it
SQ406 W name-taken | the name for a new attribute is in use | `--name features=stem`
SQ407 W init-order-changes | the same seed builds other weights after the change | `--layout flat`, or accept
SQ408 E file-dirty | uncommitted changes; `--write` would mix with them | commit, or `--force`
SQ409 N forward-keeps | a statement of forward that no layer can hold | `--layout grouped` keeps it
SQ410 E not-writable | a part of the model cannot be written as source | name a class or factory that builds it
SQ411 N new-file | the class is not edited: a new one is written | none needed; `--source edit` says why it is not
SQ412 N kept-whole | a submodule is not opened | none needed
SQ501 N keys-renamed | old checkpoints need the key map | `--layout flat` keeps the keys, `--map FILE` saves the map
SQ505 W parameter-order-changes | optimizer state is positional and would land on the wrong parameters | `--map FILE`
SQ506 E unsafe-file | the checkpoint cannot be read as tensors and plain data | re-save the tensors only
SQ601 E output-differs | outputs differ | look at the first check that failed
SQ602 E gradient-differs | the forward agrees, gradients do not | look at the first check that failed
SQ603 E buffers-differ | buffers differ after a call | look at the first check that failed
SQ604 N device-skipped | the device is absent, nothing is claimed about it | run it where the device exists
SQ605 W unstable-reference | the old model differs from its own copy | `torch.use_deterministic_algorithms(True)`
SQ607 N interface-differs | the signature changed | pass the input by position
SQ608 E weights-unmatched | old and new tensors cannot be paired | `--map FILE` says which is which
SQ609 E random-differs | random numbers are drawn in another order or number | look at the first check that failed
SQ610 E vacuous-check | the comparison proves nothing: constant or no output | `--input` with another shape
SQ611 N unproved | the numbers agree and nothing is proved | `--allow-unproved`, if exact numbers are enough
SQ612 W other-inputs | one side alone takes inputs of another size or memory layout | look at what depends on it
SQ613 W hooks-differ | one side has hooks that the other has not | register them in the new module
SQ614 E training-differs | the weights differ after some steps of an optimizer | look at the gradients
SQ901 E self-check-failed | the produced text broke one of seqify's own rules; nothing was written | report it
SQ902 E internal-error | a bug in seqify; nothing was written | report it, with `seqify env`
"""


def _read_table(table: str) -> dict[str, Rule]:
    levels = {"E": Severity.ERROR, "W": Severity.WARNING, "N": Severity.NOTE}
    rules = {}
    for line in table.strip().splitlines():
        head, summary, help_ = (part.strip() for part in line.split(" | "))
        code, level, name = head.split()
        rules[code] = Rule(code, name, levels[level], summary, help_)
    return rules


RULES = _read_table(_TABLE)
