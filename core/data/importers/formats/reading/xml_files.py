"""XML as programs and editors leave it: in any encoding, whatever its first line says."""

from __future__ import annotations

import re
from typing import Any
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree
from defusedxml import DefusedXmlException

from core.data.importers.formats.reading.text_files import decoded, is_utf16

_DECLARATION = re.compile(r"\s*<\?xml[^>]{0,200}\?>")
_ENCODING = re.compile(rb"""\s*<\?xml[^>]{0,60}?encoding\s*=\s*["']([\w.-]{1,40})["'][^>]{0,60}>""")
# Not whatever Python can decode: some codecs take minutes for a file of some megabytes.
_ASIAN = re.compile(r"gb|big5|euc|shift|s-?jis|ms|cp9|iso-?2022|ks|johab|hz", re.IGNORECASE)


_BARE: dict[type, re.Pattern[Any]] = {
    str: re.compile(r"&(?!#?\w{1,32};)"),
    bytes: re.compile(rb"&(?!#?\w{1,32};)"),
}


def xml_root(raw: bytes) -> Element:
    """Return the root of an XML file. Raises what the parsers do, of any kind for a damaged one.

    `DefusedXmlException` is for a file that declares entities. Expat, which Python reads XML with,
    knows no encoding of several bytes a letter but Unicode's, and refuses UTF-16 that declares
    another one, as an editor leaves it that saves a file anew. An empty line before the
    declaration, which the standard forbids, is passed over, an ampersand that stands for itself is
    read so, and names lose their name space.
    """
    if is_utf16(raw):
        text = decoded(raw)
        declared = _DECLARATION.match(text)
        return _parsed(text[declared.end() :] if declared else text)
    raw = raw.lstrip(b" \t\r\n")
    try:
        return _parsed(raw)
    except DefusedXmlException:
        raise
    except ValueError:
        found = _ENCODING.match(raw)
        if found is None or not _ASIAN.match(found[1].decode()):
            raise
        name = found[1].decode()
        # What declares the old Chinese encoding is mostly in one of its larger successors.
        name = "gb18030" if name.lower() in ("gb2312", "gbk") else name
        return _parsed(raw[found.end() :].decode(name))


def _parsed(text: str | bytes) -> Element:
    try:
        root: Element = defusedxml.ElementTree.fromstring(text)
    except ParseError:
        # Scripts that put XML together by hand write `<filename>a & b.jpg</filename>`.
        mended = _BARE[type(text)].sub("&amp;" if isinstance(text, str) else b"&amp;", text)
        if mended == text:
            raise
        root = defusedxml.ElementTree.fromstring(mended)
    if root.tag.startswith("{"):
        for element in root.iter():
            element.tag = element.tag.rpartition("}")[2]
    return root
