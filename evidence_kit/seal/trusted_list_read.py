"""Read a trusted list (ETSI TS 119 612): its XML signature first, then what was signed.

Only what the operator's key stands behind is looked at. The signature is checked with ``signxml``
and the services are read by pyHanko: the optional extra ``evidence-kit[etsi]``. Judging a bundle
needs neither, see :mod:`evidence_kit.seal.trusted_list`.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from xml.parsers import expat

from evidence_kit.seal import cms, x509
from evidence_kit.seal.trusted_list import QualifiedService, TrustedList

if TYPE_CHECKING:
    from lxml.etree import _Element
    from pyhanko.sign.validation.qualified.tsp import QTSTServiceInformation

MAX_LIST = 32 << 20
"""Bytes of one list; the largest national ones are about 5 MB."""

MAX_ELEMENTS = 1_000_000
"""Elements of one list; the largest national ones have some 100,000."""

MAX_DEPTH = 64
"""Levels of nesting; the format needs 20."""

MAX_NAME = 300
"""Characters kept of a name."""

MAX_OPERATORS = 200
"""Certificates tried for one signature; a list of lists names two to five for each country."""

_TSL = "{http://uri.etsi.org/02231/v2#}"
_TYPES = "http://uri.etsi.org/TrstSvc/TrustedList/TSLType/"
_NATIONAL, _OF_LISTS = _TYPES + "EUgeneric", _TYPES + "EUlistofthelists"
_VERSIONS = frozenset({"5", "6"})
"""TSLVersionIdentifier of TS 119 612: 5 since version 2.1.1, 6 since 2.3.1."""

_XINCLUDE = "http://www.w3.org/2001/XInclude"
_METHODS = ("RSA_SHA", "ECDSA_SHA", "SHA256_RSA_MGF1", "SHA384_RSA_MGF1", "SHA512_RSA_MGF1")


class TrustedListError(ValueError):
    """A list that is refused; the text says why in a few words."""


@dataclass(frozen=True)
class SignedList:
    """A list whose signature holds.

    Attributes:
        content: what it says.
        signed_by: DER of the certificate whose key signed it.
        unreadable: certificates of services that cannot be read; stamps made with them are not
            known to be qualified.
    """

    content: TrustedList
    signed_by: bytes
    unreadable: int = 0


def available() -> bool:
    """Whether the extra's libraries are installed."""
    from importlib.util import find_spec

    return all(find_spec(name) is not None for name in ("lxml", "signxml", "xsdata"))


def read_trusted_list(
    data: bytes, operators: Sequence[bytes], *, lotl: bytes | None = None
) -> SignedList:
    """A national list, signed by a key that the caller vouches for.

    Args:
        data: the XML file, from anywhere.
        operators: DER of the certificates that may have signed it; with ``lotl`` those that may
            have signed the list of lists.
        lotl: the Commission's list of the trusted lists, which names each country's certificates.

    Raises:
        TrustedListError: hostile or broken XML, no signature or one of somebody else, or not a
            list of this kind.
    """
    screen(data)
    if lotl is not None:
        operators = _named_by(lotl, operators, _text(_parse(data), "SchemeTerritory"))
    root, signed_by = _signed(data, operators)
    _require(root, _NATIONAL)
    issued = _moment(_text(root, "ListIssueDateTime"))
    services, unreadable = _services(root)
    sequence = _text(root, "TSLSequenceNumber")
    if not sequence.isascii() or not sequence.isdigit() or len(sequence) > 9 or int(sequence) < 1:
        raise TrustedListError("a sequence number that is none")
    territory = _text(root, "SchemeTerritory")
    if not (territory.isascii() and territory.isalpha() and territory.isupper()) or not (
        len(territory) == 2
    ):
        raise TrustedListError("a territory that is no country code")
    due = _scheme(root).findtext(f"{_TSL}NextUpdate/{_TSL}dateTime")
    content = TrustedList(
        territory=territory,
        operator=_operator(root),
        sequence=int(sequence),
        issued=issued,
        next_update=_moment(due) if due else None,
        sha256=hashlib.sha256(data).hexdigest(),
        services=services,
    )
    return SignedList(content, signed_by, unreadable)


def screen(data: bytes) -> None:
    """Refuse XML that does anything but hold data, before any other parser sees it.

    Refused are another encoding than UTF-8, document types (and with them entities), XInclude,
    and what is absurdly large or deep.

    Raises:
        TrustedListError: any of these, or not well-formed.
    """
    if len(data) > MAX_LIST:
        raise TrustedListError(f"larger than {MAX_LIST} bytes")
    depth = count = 0

    def start(name: str, _: object) -> None:
        nonlocal depth, count
        depth, count = depth + 1, count + 1
        if depth > MAX_DEPTH or count > MAX_ELEMENTS:
            raise TrustedListError("XML that is too deep or has too many elements")
        if name.startswith(_XINCLUDE + " "):
            raise TrustedListError("XML that includes other files")

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    def doctype(*_: object) -> None:
        raise TrustedListError("XML with a document type")

    def declaration(_: str, encoding: str | None, __: int) -> None:
        if (encoding or "utf-8").lower() != "utf-8":
            raise TrustedListError("XML in another encoding than UTF-8")

    parser = expat.ParserCreate("UTF-8", namespace_separator=" ")
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = doctype
    parser.XmlDeclHandler = declaration
    try:
        data.decode("utf-8")
        parser.ParseFile(io.BytesIO(data))
    except (expat.ExpatError, UnicodeDecodeError) as error:
        raise TrustedListError(f"not well-formed XML: {error}") from error


def _parse(data: bytes) -> _Element:
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.LxmlError as error:
        raise TrustedListError(f"not well-formed XML: {error}") from error
    if root.tag != f"{_TSL}TrustServiceStatusList":
        raise TrustedListError("not a trusted list")
    return root


def _signed(data: bytes, operators: Sequence[bytes]) -> tuple[_Element, bytes]:
    """The root as it was signed, and whose certificate of ``operators`` the signature fits.

    The signature must stand directly in the root and be over the whole of it; the certificate
    must have been valid when the list was issued.
    """
    if not operators:
        raise TrustedListError("nobody is named who may have signed it")
    issued = _moment(_text(_parse(data), "ListIssueDateTime"))
    reasons: list[str] = []
    for encoded in operators[:MAX_OPERATORS]:
        operator = x509.load(encoded)
        try:
            return _verified(data, operator, issued), encoded
        except TrustedListError as error:
            reasons.append(f"{x509.display_name(operator)}: {error}")
    raise TrustedListError("; ".join(dict.fromkeys(reasons))[:MAX_NAME])


def _verified(data: bytes, operator: x509.Certificate, issued: datetime) -> _Element:
    from lxml import etree
    from signxml.algorithms import SignatureMethod
    from signxml.exceptions import SignXMLException
    from signxml.xades.xades import XAdESSignatureConfiguration, XAdESVerifier

    if not operator.valid_at(issued):
        raise TrustedListError("the certificate was not valid when the list was issued")
    methods = frozenset(
        method
        for method in SignatureMethod
        if method.name.startswith(_METHODS) and not method.name.endswith(("SHA1", "SHA224"))
    )
    config = XAdESSignatureConfiguration(
        location="./",
        expect_references=True,
        signature_methods=methods,
        verification_time=issued,
    )
    try:
        results = XAdESVerifier().verify(data, x509_cert=operator.parsed, expect_config=config)
        found = [one.signed_data for one in results if _is_root(one.signed_xml)]
    except (SignXMLException, etree.LxmlError, AssertionError, *cms.HOSTILE) as error:
        raise TrustedListError(f"the signature does not hold: {error}") from error
    if len(found) != 1:
        raise TrustedListError("the signature is not over the list")
    return _parse(found[0])


def _is_root(element: _Element | None) -> bool:
    return element is not None and element.tag == f"{_TSL}TrustServiceStatusList"


def _named_by(lotl: bytes, operators: Sequence[bytes], territory: str) -> list[bytes]:
    """The certificates that the list of lists names for one country (TS 119 612 clause 5.3.13)."""
    from lxml import etree
    from pyhanko.sign.validation.qualified.eutl_parse import parse_lotl_unsafe

    screen(lotl)
    try:
        root, _ = _signed(lotl, operators)
        _require(root, _OF_LISTS)
        parsed = parse_lotl_unsafe(etree.tostring(root, encoding="unicode"))
    except TrustedListError as error:
        raise TrustedListError(f"the list of lists: {error}") from error
    except cms.HOSTILE as error:
        raise TrustedListError(f"the list of lists cannot be read: {error}") from error
    found = []
    for reference in parsed.references:
        if reference.territory == territory:
            for certificate in reference.tlso_certs:
                encoded = certificate.dump()
                if _readable(encoded):
                    found.append(encoded)
    if not found:
        raise TrustedListError(f"the list of lists names no usable certificate for {territory}")
    return found


def _readable(encoded: bytes) -> bool:
    try:
        x509.load(encoded)
    except x509.CertificateError:
        return False
    return True


def _require(root: _Element, kind: str) -> None:
    if _text(root, "TSLVersionIdentifier") not in _VERSIONS:
        raise TrustedListError("a list of another version")
    if _text(root, "TSLType") != kind:
        raise TrustedListError("a list of another kind")


def _scheme(root: _Element) -> _Element:
    found = root.findall(f"{_TSL}SchemeInformation")
    if len(found) != 1:
        raise TrustedListError("a list without a head")
    return found[0]


def _text(root: _Element, name: str) -> str:
    texts = [one.text or "" for one in _scheme(root).findall(f"{_TSL}{name}")]
    if len(texts) != 1 or not texts[0].strip():
        raise TrustedListError(f"a list without one {name}")
    return texts[0].strip()


def _operator(root: _Element) -> str:
    """The scheme operator's name, in English where there is one (clause 5.3.4)."""
    names = _scheme(root).findall(f"{_TSL}SchemeOperatorName/{_TSL}Name")
    english = [
        one for one in names if one.get("{http://www.w3.org/XML/1998/namespace}lang") == "en"
    ]
    return _name(((english or names)[0].text or "") if names else "")


def _name(text: str) -> str:
    return " ".join(text.split())[:MAX_NAME] or "-"


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise TrustedListError(f"a time that is none: {text[:40]}") from error
    return _in_utc(found)


def _in_utc(found: datetime) -> datetime:
    """Times of a list are UTC (clause 5.1.4), also where a list forgets to say so."""
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def _services(root: _Element) -> tuple[tuple[QualifiedService, ...], int]:
    from lxml import etree
    from pyhanko.sign.validation.qualified.eutl_parse import read_qualified_service_definitions
    from pyhanko.sign.validation.qualified.tsp import QTSTServiceInformation

    try:
        text = etree.tostring(root, encoding="unicode")
        found = [
            _service(one)
            for one in read_qualified_service_definitions(text)
            if isinstance(one, QTSTServiceInformation)
        ]
    except cms.HOSTILE as error:
        raise TrustedListError(f"its services cannot be read: {error}") from error
    unreadable = sum(missing for _, missing in found)
    return tuple(one for one, _ in found if one.certificates), unreadable


def _service(one: QTSTServiceInformation) -> tuple[QualifiedService, int]:
    base = one.base_info
    encoded = [certificate.dump() for certificate in base.provider_certs]
    usable = tuple(dict.fromkeys(cert for cert in encoded if _readable(cert)))
    service = QualifiedService(
        name=_name(base.service_name),
        certificates=usable,
        since=_in_utc(base.valid_from),
        until=_in_utc(base.valid_until) if base.valid_until else None,
    )
    return service, sum(not _readable(cert) for cert in encoded)
