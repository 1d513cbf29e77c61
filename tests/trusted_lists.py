"""Trusted lists of a country that does not exist, with an operator of their own."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from lxml import etree
from signxml.xades.xades import XAdESSigner

from evidence_kit.seal.trusted_list import QualifiedService, TrustedList
from tests import pki
from tests.pki import NOW, YEAR

TSL = "http://uri.etsi.org/02231/v2#"
TYPES = "http://uri.etsi.org/TrstSvc/Svctype/"
STATUS = "http://uri.etsi.org/TrstSvc/TrustedList/Svcstatus/"
QTST, TSA_NOT_QUALIFIED, CA_QC = f"{TYPES}TSA/QTST", f"{TYPES}TSA/TSS-QC", f"{TYPES}CA/QC"
GRANTED, WITHDRAWN = f"{STATUS}granted", f"{STATUS}withdrawn"
EU = "http://uri.etsi.org/TrstSvc/TrustedList/TSLType/EUgeneric"
LOTL = "http://uri.etsi.org/TrstSvc/TrustedList/TSLType/EUlistofthelists"
ISSUED = NOW - timedelta(days=53)


def operator(number: int = 90) -> bytes:
    """DER of the certificate of who signs the list."""
    return _operator(number)


@cache
def _operator(number: int) -> bytes:
    return pki.certificate(
        f"List operator {number}",
        pki.key_of(number=number),
        start=NOW - 3 * YEAR,
        end=NOW + 3 * YEAR,
        uses=pki.usage("digital_signature"),
    )


def tsa_root() -> bytes:
    return pki.der_of(pki.authority().root)


def tsa() -> bytes:
    return pki.der_of(pki.authority().certificate)


@dataclass
class Service:
    """One entry; ``history`` holds (status, since) of earlier times, the newest first."""

    certificates: Sequence[bytes]
    kind: str = QTST
    status: str = GRANTED
    since: datetime = NOW - YEAR
    history: Sequence[tuple[str, datetime]] = ()
    name: str = "Example stamps"


@dataclass
class Draft:
    """A list before it is signed."""

    services: list[Service] = field(default_factory=list)
    territory: str = "XX"
    sequence: str = "7"
    issued: datetime = ISSUED
    next_update: datetime | None = NOW + timedelta(days=100)
    version: str = "5"
    kind: str = EU
    pointers: list[tuple[str, Sequence[bytes]]] = field(default_factory=list)
    change: Callable[[Any], object] = lambda _: None

    def root(self) -> Any:
        """The list without a signature."""
        root = _new(None, "TrustServiceStatusList", TSLTag="http://uri.etsi.org/19612/TSLTag")
        root.set("Id", "list")
        head = _new(root, "SchemeInformation")
        _new(head, "TSLVersionIdentifier", self.version)
        _new(head, "TSLSequenceNumber", self.sequence)
        _new(head, "TSLType", self.kind)
        _named(head, "SchemeOperatorName", "Name", "Example supervisor")
        uris = _new(head, "SchemeInformationURI")
        _new(uris, "URI", "https://list.example/", lang="en")
        _new(head, "SchemeTerritory", self.territory)
        if self.pointers:
            _pointers(head, self.pointers)
        _new(head, "ListIssueDateTime", _time(self.issued))
        due = _new(head, "NextUpdate")
        if self.next_update is not None:
            _new(due, "dateTime", _time(self.next_update))
        if self.services:
            providers = _new(root, "TrustServiceProviderList")
            provider = _new(providers, "TrustServiceProvider")
            about = _new(provider, "TSPInformation")
            _named(about, "TSPName", "Name", "Example provider")
            services = _new(provider, "TSPServices")
            for service in self.services:
                _service(services, service)
        self.change(root)
        return root

    def unsigned(self) -> bytes:
        """Bytes of the list, not signed by anybody."""
        return bytes(etree.tostring(self.root(), xml_declaration=True, encoding="UTF-8"))

    def signed(self, number: int = 90, *, reference: str | None = None) -> bytes:
        """Bytes of the list, signed by the operator of that number."""
        key = pki.key_of(number=number).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        certificate = x509.load_der_x509_certificate(operator(number))
        signer = XAdESSigner(
            signature_algorithm="ecdsa-sha256",
            digest_algorithm="sha256",
        )
        signed = signer.sign(
            self.root(),
            key=key,
            cert=[certificate],
            always_add_key_value=False,
            reference_uri=reference,
        )
        return bytes(etree.tostring(signed, xml_declaration=True, encoding="UTF-8"))


def _new(parent: Any, name: str, text: str | None = None, lang: str = "", **attributes: str) -> Any:
    tag = f"{{{TSL}}}{name}"
    made = (
        etree.Element(tag, nsmap={None: TSL}) if parent is None else etree.SubElement(parent, tag)
    )
    made.text = text
    for key, value in attributes.items():
        made.set(key, value)
    if lang:
        made.set("{http://www.w3.org/XML/1998/namespace}lang", lang)
    return made


def _named(parent: Any, outer: str, inner: str, text: str) -> None:
    _new(_new(parent, outer), inner, text, lang="en")


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _identities(parent: Any, certificates: Sequence[bytes]) -> None:
    identity = _new(parent, "ServiceDigitalIdentity")
    for encoded in certificates:
        one = _new(identity, "DigitalId")
        _new(one, "X509Certificate", base64.b64encode(encoded).decode("ascii"))


def _service(parent: Any, service: Service) -> None:
    made = _new(parent, "TSPService")
    _state(_new(made, "ServiceInformation"), service, service.status, service.since)
    if service.history:
        past = _new(made, "ServiceHistory")
        for status, since in service.history:
            _state(_new(past, "ServiceHistoryInstance"), service, status, since)


def _state(parent: Any, service: Service, status: str, since: datetime) -> None:
    _new(parent, "ServiceTypeIdentifier", service.kind)
    _named(parent, "ServiceName", "Name", service.name)
    _identities(parent, service.certificates)
    _new(parent, "ServiceStatus", status)
    _new(parent, "StatusStartingTime", _time(since))


def _pointers(head: Any, pointers: Sequence[tuple[str, Sequence[bytes]]]) -> None:
    others = _new(head, "PointersToOtherTSL")
    for territory, certificates in pointers:
        pointer = _new(others, "OtherTSLPointer")
        _identities(_new(pointer, "ServiceDigitalIdentities"), certificates)
        _new(pointer, "TSLLocation", f"https://{territory.lower()}.example/tl.xml")
        more = _new(pointer, "AdditionalInformation")
        _new(_new(more, "OtherInformation"), "SchemeTerritory", territory)
        mime = etree.SubElement(
            _new(more, "OtherInformation"),
            "{http://uri.etsi.org/02231/v2/additionaltypes#}MimeType",
        )
        mime.text = "application/vnd.etsi.tsl+xml"


def a_list(
    *services: QualifiedService,
    issued: datetime = ISSUED,
    next_update: datetime | None = NOW + timedelta(days=100),
    territory: str = "XX",
    sequence: int = 7,
) -> TrustedList:
    """A list as it stands in the store, without its XML."""
    return TrustedList(territory, "Example", sequence, issued, next_update, "0" * 64, services)


def granted(
    *certificates: bytes, since: datetime = NOW - YEAR, until: datetime | None = None
) -> QualifiedService:
    """One qualified service; that of the test authority unless certificates are given."""
    return QualifiedService("Example stamps", certificates or (tsa(),), since, until)
