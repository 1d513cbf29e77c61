"""From findings to a verdict: sections, states, one status, one exit code. Pure.

``docs/verdict.md`` holds the same table for readers; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from evidence_kit.core.digests import Digests
from evidence_kit.core.errors import ExitCode
from evidence_kit.core.findings import RULES, Finding, Section, Status, worst


class State(StrEnum):
    """What a reader is told, the weightiest first: the first that holds is the headline.

    The sentences stand in ``text/*.toml`` under ``[state]``.
    """

    CHANGED = "changed"
    INCOMPLETE = "incomplete"
    SIGNATURE_INVALID = "signature-invalid"
    NOT_A_BUNDLE = "not-a-bundle"
    RECEIPT_DIFFERS = "receipt-differs"
    BEHIND_RECEIPT = "behind-receipt"
    TIMESTAMP_INVALID = "timestamp-invalid"
    CONTRADICTORY = "contradictory"
    NOT_CHECKABLE = "not-checkable"
    TIMES_CONTRADICT = "times-contradict"
    SIGNER_UNKNOWN = "signer-unknown"
    CERTIFICATE_REVOKED = "certificate-revoked"
    CERTIFICATE_EXPIRED = "certificate-expired"
    PARTLY_DISCLOSED = "partly-disclosed"
    UNCHANGED = "unchanged"
    TIMESTAMP_MISSING = "timestamp-missing"
    TIMESTAMP_UNKNOWN = "timestamp-unknown"
    TIMESTAMP_NOT_QUALIFIED = "timestamp-not-qualified"
    TIMESTAMP_NOT_LISTED = "timestamp-not-listed"
    QUALIFICATION_UNKNOWN = "qualification-unknown"
    TIMESTAMP_QUALIFIED = "timestamp-qualified"


_RANK: Mapping[State, int] = {state: rank for rank, state in enumerate(State)}

ACCEPTABLE: Mapping[str, frozenset[str]] = {
    "unknown-signer": frozenset({"signer.unknown"}),
    "no-timestamp": frozenset({"timestamp.missing", "timestamp.untrusted"}),
}
"""What ``--accept`` may relax, and exactly which codes each word covers."""

JUDGED = (Section.INTEGRITY, Section.SIGNER, Section.TRUST, Section.TIME, Section.CONTENT)
"""Sections that the bundle's status depends on. Custody stands beside it: a stranger can add a
sidecar, and must not spoil a bundle with it (bundle format, rule 4)."""

ALSO_JUDGED = frozenset({"custody.behind-receipt"})
"""What counts although it lies beside the bundle: the verifier's own receipt is contradicted, and
no stranger wrote that."""


def counts(code: str) -> bool:
    """Whether findings of this code can change the one status."""
    return RULES[code].section in JUDGED or code in ALSO_JUDGED


_EXACT: Mapping[str, State] = {
    "file.changed": State.CHANGED,
    "file.unlisted": State.CHANGED,
    "file.missing": State.INCOMPLETE,
    "container.unreadable": State.NOT_CHECKABLE,
    "manifest.missing": State.SIGNATURE_INVALID,
    "receipt.differs": State.RECEIPT_DIFFERS,
    "custody.behind-receipt": State.BEHIND_RECEIPT,
    "signer.unknown": State.SIGNER_UNKNOWN,
    "timestamp.missing": State.TIMESTAMP_MISSING,
    "timestamp.untrusted": State.TIMESTAMP_UNKNOWN,
    "timestamp.claimed-future": State.TIMES_CONTRADICT,
    "timestamp.future": State.TIMES_CONTRADICT,
    "timestamp.before-claimed-time": State.TIMES_CONTRADICT,
    "timestamp.stamps-contradict": State.TIMES_CONTRADICT,
    "start-token.contradicts": State.TIMES_CONTRADICT,
    "timestamp.not-qualified": State.TIMESTAMP_NOT_QUALIFIED,
    "timestamp.not-listed": State.TIMESTAMP_NOT_LISTED,
    "timestamp.qualification-unknown": State.QUALIFICATION_UNKNOWN,
    "timestamp.qualified": State.TIMESTAMP_QUALIFIED,
}
_BY_PREFIX: tuple[tuple[str, State], ...] = (
    ("container.", State.NOT_A_BUNDLE),
    ("bag.", State.CHANGED),
    ("manifest.", State.SIGNATURE_INVALID),
    ("signature.", State.SIGNATURE_INVALID),
    ("timestamp.", State.TIMESTAMP_INVALID),
    ("start-token.", State.CONTRADICTORY),
)

_DOUBTFUL: tuple[tuple[str, State], ...] = (
    ("signer.", State.SIGNER_UNKNOWN),
    ("timestamp.", State.TIMESTAMP_UNKNOWN),
)


def state_of(code: str) -> State | None:
    """The state that a finding code brings about; None for what is only shown.

    Every code of the judged sections that is not PASSED or INFO has one (tested), so that no
    verdict stays without a headline.
    """
    rule = RULES[code]
    if code in _EXACT:
        return _EXACT[code]
    if rule.section is Section.CUSTODY or rule.status is Status.PASSED:
        return None
    if code == "signer.not-revoked":
        return None
    if code.endswith("revoked") or "revoked-" in code:
        return State.CERTIFICATE_REVOKED
    if "expired" in code:
        return State.CERTIFICATE_EXPIRED
    if rule.status is Status.INFO:
        return None
    if rule.status is Status.INDETERMINATE and not code.endswith("not-checked"):
        for prefix, state in _DOUBTFUL:
            if code.startswith(prefix):
                return state
    if rule.status is Status.INDETERMINATE:
        return State.NOT_CHECKABLE
    for prefix, state in _BY_PREFIX:
        if code.startswith(prefix):
            return state
    return State.CONTRADICTORY if rule.section is Section.CONTENT else State.SIGNATURE_INVALID


@dataclass(frozen=True)
class SignerFacts:
    """What the signing certificate says of its holder; ``fingerprint`` is SHA-256 in hex."""

    name: str
    organisation: str
    fingerprint: str
    self_signed: bool
    not_before: datetime
    not_after: datetime


@dataclass(frozen=True)
class ListFacts:
    """The trusted list that said whether a stamp is qualified, as it is quoted.

    Attributes:
        territory: country code.
        sequence: its number.
        issued: UTC.
        next_update: when the next one was due; None for a closed list.
        age: whole days between its issue and the verification.
        sha256: of the list's file, hexadecimal.
    """

    territory: str
    sequence: int
    issued: datetime
    next_update: datetime | None
    age: int
    sha256: str


@dataclass(frozen=True)
class TimeFacts:
    """Moments, UTC, None where there is none.

    Attributes:
        signing_time: claimed by the signer's own clock.
        stamp_time: genTime of the signature's stamp.
        stamp_by: name in the time-stamping authority's certificate.
        stamp_trusted: that authority is among the trusted ones.
        qualified: by a dated trusted list; None where no list names the service.
        qualified_by: that list.
        not_before_time: genTime of the start token: the record was made after it.
        renew_before: end of validity behind the newest stamp in an unbroken row.
    """

    signing_time: datetime | None = None
    stamp_time: datetime | None = None
    stamp_by: str = ""
    stamp_trusted: bool = False
    qualified: bool | None = None
    qualified_by: ListFacts | None = None
    not_before_time: datetime | None = None
    renew_before: datetime | None = None


@dataclass(frozen=True)
class Verdict:
    """The outcome for one file.

    Attributes:
        path: as the caller gave it.
        findings: everything found, in the order of the checks.
        accepted: keys of :data:`ACCEPTABLE` that the caller relaxes.
        file: digests of the whole file where they were computed.
    """

    path: str
    findings: tuple[Finding, ...]
    accepted: frozenset[str] = frozenset()
    signer: SignerFacts | None = None
    time: TimeFacts = field(default_factory=TimeFacts)
    file: Digests | None = None

    def section(self, section: Section) -> Status:
        """Status of one section by itself, nothing relaxed; INFO where only remarks were made."""
        statuses = [f.rule.status for f in self.findings if f.rule.section is section]
        if statuses and all(status is Status.INFO for status in statuses):
            return Status.INFO if section is Section.CUSTODY else Status.INDETERMINATE
        return worst(statuses)

    @property
    def status(self) -> Status:
        """The one status: worst of the judged sections, each of which must have been checked.

        Of custody only :data:`ALSO_JUDGED` counts.
        """
        relaxed = {code for word in self.accepted for code in ACCEPTABLE[word]}
        beside = [f.rule.status for f in self.findings if f.code in ALSO_JUDGED]
        return worst([*(self._judged(section, relaxed) for section in JUDGED), *beside])

    def _judged(self, section: Section, relaxed: set[str]) -> Status:
        found = [f for f in self.findings if f.rule.section is section]
        kept = [f.rule.status for f in found if f.code not in relaxed]
        if len(kept) < len(found):  # explicitly accepted: it counts as answered
            kept.append(Status.PASSED)
        return worst(kept)

    @property
    def states(self) -> tuple[State, ...]:
        """All states that hold, headline first.

        "Unchanged" is said only where integrity held and the signer is trusted: a forger can
        seal too (requirement V3).
        """
        weighty: dict[State, bool] = {}
        for finding, state in self._telling():
            judged = finding.rule.status is not Status.INFO
            weighty[state] = weighty.get(state, False) or judged
        if (
            self.section(Section.INTEGRITY) is Status.PASSED
            and self.section(Section.TRUST) is Status.PASSED
            and self.status is not Status.FAILED
        ):
            weighty[State.UNCHANGED] = True
        # What is only a remark (expired since, not qualified) never displaces the outcome.
        ordered = sorted(weighty, key=lambda state: (not weighty[state], _RANK[state]))
        return tuple(ordered) or (State.NOT_CHECKABLE,)

    def _telling(self) -> Iterator[tuple[Finding, State]]:
        """Findings with their state, but for those that only follow from a weightier one.

        With a file changed or gone the bag's lists are wrong as well, and what was not looked at
        for that reason says nothing; "the files fit the signature" would even be untrue.
        """
        files = any(finding.code.startswith("file.") for finding in self.findings)
        sound = self.section(Section.INTEGRITY) is Status.PASSED
        failed = self.status is Status.FAILED
        for finding in self.findings:
            state = state_of(finding.code)
            if state is None or (files and finding.code.startswith("bag.")):
                continue
            if (failed and state is State.NOT_CHECKABLE) or (
                not sound and state is State.SIGNER_UNKNOWN
            ):
                continue
            yield finding, state

    @property
    def exit_code(self) -> ExitCode:
        """The exit code that this verdict alone asks for."""
        if any(finding.code == "container.unreadable" for finding in self.findings):
            return ExitCode.UNREADABLE
        return _EXIT[self.status]

    def subjects(self, state: State) -> tuple[str, ...]:
        """What the findings behind a state are about, each once, in order."""
        named = (f.subject for f, told in self._telling() if f.subject and told is state)
        return tuple(dict.fromkeys(named))


_EXIT: Mapping[Status, ExitCode] = {
    Status.PASSED: ExitCode.OK,
    Status.FAILED: ExitCode.FAILED,
    Status.INDETERMINATE: ExitCode.INDETERMINATE,
}

_EXIT_ORDER = (ExitCode.FAILED, ExitCode.UNREADABLE, ExitCode.INDETERMINATE, ExitCode.OK)


def exit_code_of(verdicts: Iterable[Verdict]) -> ExitCode:
    """One exit code for several: FAILED > unreadable > INDETERMINATE > PASSED; none is 11."""
    found = {verdict.exit_code for verdict in verdicts}
    for code in _EXIT_ORDER:
        if code in found:
            return code
    return ExitCode.INDETERMINATE
