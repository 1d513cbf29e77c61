"""Every attack that the tests carry out; ``tests.attack_page`` writes them into the documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.attacks import ON_CONTENT, ON_PARSERS, ON_SIGNATURE
from tests.takeouts import takeouts
from tests.test_container_attacks import VECTORS as ON_CONTAINER
from tests.test_ocsp import SAY_NOTHING
from tests.test_trusted_list import REFUSED
from tests.vector_tools import Vector

ON_ATTACKS = "test_attacks.py::test_attack"
ON_CODES = "test_verify_vectors.py::test_the_vector_brings_its_code_about"


@dataclass(frozen=True)
class Attack:
    """One row.

    Attributes:
        name: in words.
        code: the finding by which it is told; empty where nothing may happen at all.
        test: file and function below ``tests/``.
        cases: of the test's parameters; none means all, or a test without parameters.
    """

    name: str
    code: str
    test: str
    cases: tuple[str, ...] = ()

    @property
    def nodes(self) -> tuple[str, ...]:
        """Node ids of the cases."""
        return tuple(f"tests/{self.test}[{case}]" for case in self.cases)

    def taken_out(self) -> list[str]:
        """Names of the checks without which this attack's test turns red."""
        prefix = f"tests/{self.test}"
        wanted = set(self.nodes)
        return [
            check.name
            for check in takeouts().values()
            if any(
                node in wanted if wanted else node == prefix or node.startswith(prefix + "[")
                for node in check.red
            )
        ]


def _of(vectors: Mapping[str, tuple[Vector, str]]) -> Iterator[Attack]:
    for name, (_, code) in vectors.items():
        yield Attack(name, code, ON_ATTACKS, (name,))


def _told(name: str, code: str) -> Attack:
    """An attack that is the vector of a code itself."""
    return Attack(name, code, ON_CODES, (code,))


_CUSTODY = "test_custody.py::"
_EFFORT = "test_custody_effort.py::"
_TRUST = "test_cades_trust.py::"
_OTHERS = "test_cades.py::test_a_signer_who_puts_other_attributes_in"
_AUTHORITIES = "test_timestamp.py::test_certificates_of_authorities"
_REFUSED = "test_trusted_list.py::test_lists_that_are_refused"
_NO_XML = {"another encoding", "cut off", "empty", "a web page"}  # nothing of ours to take out
_OLDER = "test_trusted_list.py::test_older_and_repeated_and_future_lists_are_refused"
_STANDING = "test_trusted_list.py::test_who_is_qualified"
_OWN = "signer.responder-withdrawn"
_ANSWERS = "test_ocsp.py::test_what_says_nothing_is_a_fault"

ATTACK_LIST: Mapping[str, tuple[Attack, ...]] = {
    "On the container": (
        *(
            Attack(name, code, "test_container_attacks.py::test_vector", (name,))
            for name, (code, _) in ON_CONTAINER.items()
        ),
        Attack(
            "100,000 entries",
            "container.too-many-entries",
            "test_container_attacks.py::test_100_000_entries_are_refused_at_once",
        ),
        Attack(
            "truncation at every byte",
            "container.truncated",
            "test_container_attacks.py::test_truncation_at_every_byte",
        ),
        Attack(
            "every bit of a small container",
            "container.not-canonical",
            "test_container_attacks.py::test_every_bit_of_a_small_container",
        ),
        Attack(
            "any bit with the CRC put right",
            "file.changed",
            "test_verify.py::test_any_flipped_bit_fails_also_with_the_checksum_put_right",
        ),
        Attack(
            "any bit of the signature file",
            "signature.invalid",
            "test_cades.py::test_a_changed_bit_is_noticed_sampled",
        ),
        _told("packed again at another time", "container.time"),
    ),
    "On content": (
        _told("file changed", "file.changed"),
        Attack("file added", "file.unlisted", "test_verify.py::test_any_file_put_in_is_noticed"),
        _told("file removed", "file.missing"),
        Attack(
            "bag's lists recomputed",
            "file.changed",
            "test_verify.py::test_recomputing_the_bags_lists_does_not_help",
        ),
        Attack(
            "signed list and bag disagree",
            "bag.disagrees",
            "test_bagit.py::test_disagreements",
            ("_recomputed-expected6",),
        ),
        *_of(ON_CONTENT),
        Attack(
            "claim that the proof of a platform does not bear out",
            "atproto.proof-broken",
            "test_verify_proof.py::test_a_claim_that_the_files_do_not_bear_out_is_failed",
        ),
        Attack(
            "true absence of another record",
            "atproto.proof-broken",
            "test_verify_proof.py::test_a_true_absence_of_another_record_is_failed",
        ),
        Attack(
            "true proof of another account",
            "atproto.not-checked",
            "test_verify_proof.py::test_another_account_than_the_address_names_is_not_passed_over",
        ),
    ),
    "On what happened after the seal": (
        Attack(
            "event edited",
            "custody.event-edited",
            _CUSTODY + "test_a_changed_event_is_noticed",
        ),
        Attack(
            "events reordered",
            "custody.event-misplaced",
            _CUSTODY + "test_events_that_changed_places_are_noticed",
        ),
        Attack(
            "event removed from the middle",
            "custody.gap",
            _CUSTODY + "test_an_event_taken_from_the_middle_leaves_a_gap",
        ),
        Attack(
            "first event removed",
            "custody.gap",
            _CUSTODY + "test_the_first_event_taken_away_leaves_a_gap",
        ),
        Attack(
            "event cut off at the end, receipt kept",
            "custody.behind-receipt",
            _CUSTODY + "test_an_event_cut_off_at_the_end_shows_with_the_receipt_only",
        ),
        Attack(
            "two ways after one event",
            "custody.fork",
            _CUSTODY + "test_two_ways_after_one_event_are_both_shown",
        ),
        Attack(
            "two first events",
            "custody.fork",
            _CUSTODY + "test_two_first_events_are_a_fork_at_the_sealed_file",
        ),
        Attack(
            "event added by a stranger",
            "custody.event-unknown-signer",
            _CUSTODY + "test_a_strangers_event_spoils_neither_bundle_nor_the_others_events",
        ),
        Attack(
            "event signed again by another",
            "custody.gap",
            _CUSTODY + "test_an_event_re_signed_by_another_is_the_others",
        ),
        Attack(
            "event in somebody else's name",
            "custody.event-edited",
            _CUSTODY + "test_an_event_in_somebody_elses_name_is_not_theirs",
        ),
        Attack(
            "event of another bundle",
            "custody.event-other-bundle",
            _CUSTODY + "test_an_event_of_another_bundle_does_not_count",
        ),
        Attack("half an event", "custody.event-incomplete", _CUSTODY + "test_only_half_an_event"),
        Attack(
            "events whose times run backwards",
            "custody.event-times",
            _CUSTODY + "test_time_that_runs_backwards_is_said",
        ),
        Attack(
            "sidecar removed after a renewal",
            "custody.renewed-differs",
            "test_stamp_later.py::test_a_stranger_can_add_a_file_but_not_spoil_a_renewal",
        ),
        Attack(
            "renewal of another bundle",
            "custody.stamp-invalid",
            "test_stamp_later.py::test_a_renewal_of_another_bundle_counts_for_nothing",
        ),
        Attack(
            "events made to cost time",
            "custody.limit-reached",
            _EFFORT + "test_large_events_displace_no_ordinary_ones",
        ),
        Attack(
            "events with many certificates",
            "custody.limit-reached",
            _EFFORT + "test_certificates_count_as_well_as_bytes",
        ),
        Attack(
            "time stamps without end",
            "custody.limit-reached",
            _EFFORT + "test_stamps_without_end_are_not_looked_at",
        ),
        Attack(
            "renewals that name the same large files again and again",
            "custody.limit-reached",
            _EFFORT + "test_each_file_is_digested_once_however_many_renewals_name_it",
        ),
    ),
    "On signature and time": (
        *_of(ON_SIGNATURE),
        _told("signature value changed", "signature.invalid"),
        Attack(
            "no signing-certificate attribute", "signature.malformed", _OTHERS, ("no certificate",)
        ),
        Attack(
            "signing-certificate attribute of another certificate",
            "signature.malformed",
            _OTHERS,
            ("another certificate", "another number"),
        ),
        Attack(
            "signed attributes added, doubled, or left out",
            "signature.malformed",
            _OTHERS,
            ("left out", "commitment", "two times"),
        ),
        Attack(
            "second form of an ECDSA value",
            "signature.malformed",
            "test_cades.py::test_the_other_ecdsa_value_is_refused_though_it_verifies",
        ),
        Attack(
            "SHA-1 or MD5",
            "signature.weak",
            _TRUST + "test_sha1_and_md5_are_weak_whatever_else_holds",
        ),
        Attack(
            "certificate with an RSA key of 16,384 bits",
            "signature.malformed",
            _TRUST + "test_a_key_of_absurd_size_is_not_tried",
        ),
        Attack(
            "expired, no trusted stamp",
            "signer.expired",
            _TRUST + "test_expired_without_a_trusted_stamp",
        ),
        Attack(
            "not yet valid",
            "signer.not-yet-valid",
            _TRUST + "test_stamped_before_the_certificate_was_valid",
        ),
        Attack(
            "revoked before the stamp",
            "signer.revoked",
            _TRUST + "test_revoked",
            ("when0-True-signer.revoked", "when2-False-signer.revoked"),
        ),
        Attack(
            "revoked after the stamp",
            "signer.revoked-since",
            _TRUST + "test_revoked",
            ("when1-True-signer.revoked-since",),
        ),
        Attack(
            "claimed signing time after the stamp",
            "timestamp.before-claimed-time",
            _TRUST + "test_the_claimed_time_against_the_stamp",
            ("claimed0-timestamp.before-claimed-time",),
        ),
        Attack(
            "claimed signing time long before the stamp",
            "timestamp.long-after-claimed-time",
            _TRUST + "test_the_claimed_time_against_the_stamp",
            ("claimed3-timestamp.long-after-claimed-time",),
        ),
        _told("stamp for another signature", "timestamp.wrong-imprint"),
        Attack(
            "stamp without, with non-critical or with further EKU",
            "timestamp.invalid",
            _AUTHORITIES,
            tuple(f"options{number}-timestamp.invalid" for number in (1, 2, 3, 4)),
        ),
        Attack(
            "stamp by an expired or future certificate",
            "timestamp.invalid",
            _AUTHORITIES,
            ("options5-timestamp.invalid", "options6-timestamp.invalid"),
        ),
        _told("stamp in the future", "timestamp.future"),
        _told("claimed signing time in the future, no stamp", "timestamp.claimed-future"),
        Attack(
            "answer with a wrong nonce",
            "",
            "test_timestamp.py::test_bad_answers",
            ("nonce",),
        ),
        Attack(
            "answer over another digest",
            "",
            "test_timestamp.py::test_bad_answers",
            ("imprint",),
        ),
        Attack(
            "signature of the authority broken",
            "timestamp.invalid",
            "test_timestamp.py::test_changed_tokens",
            ("broken-timestamp.invalid",),
        ),
        Attack(
            "parts in a stamp that nothing holds",
            "timestamp.unused-material",
            "test_timestamp.py::test_changed_tokens",
            (
                "with_stray-timestamp.unused-material",
                "with_attribute-timestamp.unused-material",
            ),
        ),
        _told("stamp over the file older than the stamp in it", "timestamp.stamps-contradict"),
        _told("start token younger than the seal", "start-token.contradicts"),
        _told("start token over another number", "start-token.differs"),
        Attack(
            "row of renewals with a hole in it",
            "timestamp.renew",
            "test_stamp_later.py::"
            "test_ten_years_on_a_row_of_renewals_holds_and_a_broken_row_says_so",
        ),
        *(
            Attack(f"OCSP: {name}", "signature.unused-material", _ANSWERS, (name,))
            for name in SAY_NOTHING
        ),
        Attack("OCSP: responder withdrawn", "signer.responder-withdrawn", ON_CODES, (_OWN,)),
        Attack(
            "stamp of a service that was granted later, or not any more",
            "timestamp.not-qualified",
            _STANDING,
            ("granted later", "withdrawn before"),
        ),
        Attack(
            "stamp from after the time that a trusted list speaks of",
            "timestamp.qualification-unknown",
            _STANDING,
            ("a list that was to be replaced before", "a list closed before"),
        ),
    ),
    "On parsers": (
        *_of(ON_PARSERS),
        Attack(
            "DER in each form that is not the one",
            "signature.malformed",
            "test_der.py::test_refused",
        ),
        Attack(
            "CBOR in each form that is not the one",
            "atproto.proof-broken",
            "test_atproto_forms.py::TestCbor::test_every_other_form_is_refused",
        ),
        Attack(
            "CBOR 100,000 deep",
            "atproto.proof-broken",
            "test_atproto_forms.py::TestCbor::test_depth_is_bounded",
        ),
        Attack(
            "CAR with blocks under other hashes or twice",
            "atproto.proof-broken",
            "test_atproto_forms.py::TestCar::test_bad",
        ),
        *(
            Attack(f"trusted list: {name}", "", _REFUSED, (name,))
            for name in REFUSED
            if name not in _NO_XML
        ),
        Attack("trusted list: older than the one that is there", "", _OLDER),
    ),
    "On whoever reads": (
        Attack(
            "terminal commands and direction marks in a post",
            "",
            "test_attacks.py::test_captured_text_never_acts",
            ("False-arguments0", "False-arguments1"),
        ),
        Attack(
            "the same in JSON output",
            "",
            "test_attacks.py::test_captured_text_never_acts",
            ("True-arguments0",),
        ),
        Attack(
            "the same in a file name",
            "",
            "test_attacks.py::test_a_file_name_cannot_act_in_an_error",
        ),
        Attack(
            "the same in the chain of custody",
            "",
            _CUSTODY + "test_the_drawing_shows_branches_gaps_and_hostile_text_harmlessly",
        ),
        Attack(
            "file name that is no text",
            "",
            "test_attacks.py::test_a_file_name_that_is_no_text_can_be_told_in_json",
        ),
        Attack(
            "formulas in a table",
            "",
            "test_dossier_terms.py::test_no_cell_becomes_a_formula",
            ("=1", "+1", "-1", "@x"),
        ),
    ),
}
"""By part: where it attacks."""

NO_CHECK = {"gzip bomb in the WARC": "nothing unpacks it"}
"""Attacks that no check holds, and why none is needed."""
