"""Characters that nobody sees, or that a terminal obeys, shown as what they are.

Written against Unicode 15.1. What is never drawn is the property Default_Ignorable_Code_Point
(DerivedCoreProperties.txt); beside it stand control characters (a terminal obeys those of C0 and
C1), marks that change the writing's direction (UAX #9), line separators, spaces that look like the
usual one, private use and noncharacters. Each is shown as `⟨U+200B⟩`, so that two names that differ
in one of them differ on the screen too.

Where such a character belongs to the writing it stays: joiners in emoji (UTS #51, ED-16), joiners
beside a virama or between letters that join (RFC 5892, A.1 and A.2, and the Unicode Standard 9.2
and 12.2), the emoji selector after what is else drawn as text (UTS #51, ED-9a), the tags of
three flags (UTS #51, RGI_Emoji_Tag_Sequence).
"""

from __future__ import annotations

import functools
import re
import unicodedata

from core.late import late_pattern

# Python calls these printable, and yet nothing is to be seen: fillers, selectors, the empty
# Braille cell.
_BLANK = (
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
# Not assigned, and not to be drawn should they ever be; then the noncharacters.
_NEVER = (
    "[\u2065\ufdd0-\ufdef\ufff0-\ufff8\U000e0000-\U000e0fff"
    + "".join(
        f"{chr(plane * 0x10000 + 0xFFFE)}{chr(plane * 0x10000 + 0xFFFF)}" for plane in range(17)
    )
    + "]"
)
# Format characters that are drawn: Prepended_Concatenation_Mark (PropList.txt).
_DRAWN = frozenset(
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
)
# Emoji without Emoji_Presentation (emoji-data.txt): they need U+FE0F to be drawn as emoji.
_TEXT_EMOJI = (
    "[#*0-9\u00a9\u00ae\u203c\u2049\u2122\u2139\u2194-\u2199\u21a9\u21aa\u2328\u23cf\u23ed-\u23ef"
    "\u23f1\u23f2\u23f8-\u23fa\u24c2\u25aa\u25ab\u25b6\u25c0\u25fb\u25fc\u2600-\u2604\u260e\u2611"
    "\u2618\u261d\u2620\u2622\u2623\u2626\u262a\u262e\u262f\u2638-\u263a\u2640\u2642\u265f\u2660"
    "\u2663\u2665\u2666\u2668\u267b\u267e\u2692\u2694-\u2697\u2699\u269b\u269c\u26a0\u26a7\u26b0"
    "\u26b1\u26c8\u26cf\u26d1\u26d3\u26e9\u26f0\u26f1\u26f4\u26f7-\u26f9\u2702\u2708\u2709\u270c"
    "\u270d\u270f\u2712\u2714\u2716\u271d\u2721\u2733\u2734\u2744\u2747\u2763\u2764\u27a1\u2934"
    "\u2935\u2b05-\u2b07\u3030\u303d\u3297\u3299\U0001f170\U0001f171\U0001f17e\U0001f17f\U0001f202"
    "\U0001f237\U0001f321\U0001f324-\U0001f32c\U0001f336\U0001f37d\U0001f396\U0001f397"
    "\U0001f399-\U0001f39b\U0001f39e\U0001f39f\U0001f3cb-\U0001f3ce\U0001f3d4-\U0001f3df\U0001f3f3"
    "\U0001f3f5\U0001f3f7\U0001f43f\U0001f441\U0001f4fd\U0001f549\U0001f54a\U0001f56f\U0001f570"
    "\U0001f573-\U0001f579\U0001f587\U0001f58a-\U0001f58d\U0001f590\U0001f5a5\U0001f5a8\U0001f5b1"
    "\U0001f5b2\U0001f5bc\U0001f5c2-\U0001f5c4\U0001f5d1-\U0001f5d3\U0001f5dc-\U0001f5de\U0001f5e1"
    "\U0001f5e3\U0001f5e8\U0001f5ef\U0001f5f3\U0001f5fa\U0001f6cb\U0001f6cd-\U0001f6cf"
    "\U0001f6e0-\U0001f6e5\U0001f6e9\U0001f6f0\U0001f6f3]"
)
_KEYCAP = "\u20e3"
# What a joiner makes one picture of: text emoji, and symbols of the planes for pictures.
_PICTURE = "[\u231a-\u2b55\U0001f000-\U0001faff]"
_DRESS = "[\ufe0f\U0001f3fb-\U0001f3ff]"  # The emoji selector and shades of skin.
_FLAG = "\U0001f3f4((?:[\U000e0061-\U000e007a]){5}\U000e007f)"
_FLAGS = frozenset(
    "".join(chr(0xE0000 + ord(letter)) for letter in of) + "\U000e007f"
    for of in ("gbeng", "gbsct", "gbwls")
)
# Joining_Type L or D, and also R (ArabicShaping.txt), of the scripts that have a block of their
# own in the first plane: Arabic, Syriac, N'Ko, Mandaic, Mongolian, Phags-pa.
_JOINS_ON = (
    "\u0620\u0626\u0628\u062a-\u062e\u0633-\u063f\u0641-\u0647\u0649\u064a\u066e\u066f"
    "\u0678-\u0687\u069a-\u06bf\u06c1\u06c2\u06cc\u06ce\u06d0\u06d1\u06fa-\u06fc\u06ff"
    "\u0712-\u0714\u071a-\u071d\u071f-\u0727\u0729\u072b\u072d\u072e\u074e-\u0758\u075c-\u076a"
    "\u076d-\u0770\u0772\u0775-\u0777\u077a-\u077f\u07ca-\u07ea\u0841-\u0845\u0848\u084a-\u0853"
    "\u0855\u0860\u0862-\u0865\u0868\u0886\u0889-\u088d\u088f\u08a0-\u08a9\u08af\u08b0\u08b3-\u08b8"
    "\u08ba-\u08c8\u1807\u1820-\u1878\u1887-\u18a8\u18aa\ua840-\ua872"
)
_JOINS_BACK = (
    _JOINS_ON
    + "\u0622-\u0625\u0627\u0629\u062f-\u0632\u0648\u0671-\u0673\u0675-\u0677\u0688-\u0699"
    "\u06c0\u06c3-\u06cb\u06cd\u06cf\u06d2\u06d3\u06d5\u06ee\u06ef\u0710\u0715-\u0719\u071e\u0728"
    "\u072a\u072c\u072f\u074d\u0759-\u075b\u076b\u076c\u0771\u0773\u0774\u0778\u0779\u0840"
    "\u0846\u0847\u0849\u0854\u0856-\u0858\u0867\u0869\u086a\u0870-\u0882\u088e\u08aa-\u08ac"
    "\u08ae\u08b1\u08b2\u08b9"
)
_ON = late_pattern(f"[{_JOINS_ON}]")
_BACK = late_pattern(f"[{_JOINS_BACK}]")
# What `pieces` makes of one character.
_TOKEN = late_pattern(r"⟨U\+[0-9A-F]{4,6}⟩|◌.|.", re.DOTALL)
_VIRAMA = 9  # The canonical combining class of all of them (UAX #44).
ZWNJ, ZWJ = "\u200c", "\u200d"


@functools.cache
def _regex(pattern: str) -> re.Pattern[str]:
    """Compile a pattern when the first text needs it: plain ASCII, which most texts are, never."""
    return re.compile(pattern)


def visible(text: str) -> str:
    """Return `text` with each unseen or obeyed character as `⟨U+200B⟩`; what is seen stays.

    Line ends are `⏎` and tabs `⇥`, so the result is one line. A combining mark at the beginning
    stands on a dotted circle (the Unicode Standard, 7.9), for it would go over what is before the
    text. Doing it twice is the same as once.
    """
    if text.isprintable() and (
        text.isascii() or not (_regex(_BLANK).search(text) or unicodedata.combining(text[0]))
    ):
        return text
    return "".join(pieces(text))


def pieces(text: str) -> list[str]:
    """Return what `visible` shows for each character of `text`."""
    return [_piece(text, at) for at in range(len(text))]


def unseen(text: str) -> list[str]:
    """Return the characters of `text` that `visible` shows by a stand-in, each once, in order."""
    if visible(text) == text:
        return []
    shown = pieces(text)
    return list(
        dict.fromkeys(c for c, piece in zip(text, shown, strict=True) if not piece.endswith(c))
    )


def said_unseen(text: str, before: str = "") -> str:
    """Return the stand-ins of the unseen characters of `text` that `before` has not, or ''."""
    found = [stand_in(char) for char in unseen(text) if char not in before]
    return " ".join(found[:8]) + (f" and {len(found) - 8} more" if len(found) > 8 else "")


def without_unseen(text: str) -> tuple[str, str]:
    """Return `text` without what cannot be seen, and what was left out, as `said_unseen` has it.

    Line ends and tabs become spaces, as does every other kind of space.
    """
    kept = "".join(
        char if piece.endswith(char) else " " if char.isspace() else ""
        for char, piece in zip(text, pieces(text), strict=True)
    )
    return kept, said_unseen(text, before="".join(filter(str.isspace, text)))


def restored(shown: str, original: str) -> str:
    """Return what is meant by `shown`, a text that began as `visible(original)` and was edited.

    What the person left alone is the original again, unseen characters included; what was typed
    is what stands there.
    """
    parts = pieces(original)
    if "".join(parts) == original:
        return shown
    tokens = _TOKEN.findall(shown)
    import difflib

    matcher = difflib.SequenceMatcher(None, parts, tokens, autojunk=False)
    meant, at = [], 0
    for block in matcher.get_matching_blocks():
        meant += tokens[at : block.b]
        meant += original[block.a : block.a + block.size]
        at = block.b + block.size
    return "".join(meant)


def stand_in(char: str) -> str:
    """Return what stands for a character that cannot be seen, such as `⟨U+200B⟩`."""
    return {"\n": "⏎", "\t": "⇥"}.get(char) or f"⟨U+{ord(char):04X}⟩"


def _piece(text: str, at: int) -> str:
    char = text[at]
    if char.isascii() and char.isprintable():
        return char
    if _is_seen(char):
        return f"◌{char}" if at == 0 and unicodedata.combining(char) else char
    return char if _belongs(text, at) else stand_in(char)


def _is_seen(char: str) -> bool:
    if _regex(_BLANK).match(char) or _regex(_NEVER).match(char):
        return False
    # The ideographic space is two cells wide; newer letters are not in Python's tables yet.
    return (
        char.isprintable()
        or char == "\u3000"
        or char in _DRAWN
        or unicodedata.category(char) == "Cn"
    )


def _belongs(text: str, at: int) -> bool:
    """Whether an unseen character is a part of the writing, by what stands beside it."""
    char, before, after = text[at], text[at - 1 : at] if at else "", text[at + 1 : at + 2]
    if char in (ZWJ, ZWNJ):
        if any(side and unicodedata.combining(side) == _VIRAMA for side in (before, after)):
            # After a virama, and ZWJ also before it: the Bengali ya-phalaa.
            return bool(before) and (char == ZWJ or unicodedata.combining(before) == _VIRAMA)
        return _joins_letters(text, at) or (char == ZWJ and _joins_pictures(text, at))
    if char == "\ufe0f":
        return bool(_regex(_TEXT_EMOJI).match(before)) and (
            not before.isascii() or after == _KEYCAP
        )
    if "\U000e0061" <= char <= "\U000e007f":
        return any(
            flag.start(1) <= at < flag.end(1) and flag[1] in _FLAGS
            for flag in _regex(_FLAG).finditer(text, max(0, at - 6), at + 7)
        )
    return False


def _joins_letters(text: str, at: int) -> bool:
    """Whether a joiner stands between two letters that join, marks (vowels) between left out."""
    left, right = at - 1, at + 1
    while (
        left >= 0
        and unicodedata.category(text[left]) == "Mn"
        and not _regex(_BLANK).match(text[left])
    ):
        left -= 1
    while right < len(text) and unicodedata.category(text[right]) == "Mn":
        right += 1
    joined = left >= 0 and right < len(text) and _ON.match(text[left]) and _BACK.match(text[right])
    # Between two that join anyway ZWJ changes nothing, so nobody sees it there.
    return bool(joined) and text[at] == ZWNJ


def _joins_pictures(text: str, at: int) -> bool:
    left = at - 1
    while left > 0 and _regex(_DRESS).match(text[left]):
        left -= 1
    return left >= 0 and all(
        _regex(_PICTURE).match(char) or (not char.isascii() and _regex(_TEXT_EMOJI).match(char))
        for char in (text[left], text[at + 1 : at + 2])
    )
