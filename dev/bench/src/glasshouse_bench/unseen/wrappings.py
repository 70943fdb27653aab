"""Values in what programs wrap around them: quoting, escapes, colours, encodings, containers."""

from __future__ import annotations

import html
import json
import urllib.parse
from collections.abc import Callable, Iterator

from glasshouse_bench.unseen.probes import Probe

REPORT = "wrappings"

# Test values that their issuers or standards publish, and synthetic ones of the documented form.
VALUES = {
    "card": "5555 5555 5555 4444",
    "card, one run": "4000056655665556",
    "e-mail": "maria.rossi@example.org",
    "IBAN": "DE89370400440532013000",
    "IBAN, groups": "FR14 2004 1010 0505 0001 3M02 606",
    "phone": "+44 20 7946 0958",
    "phone, one run": "+16502530000",
    "phone, US": "(212) 555-0187",
    "SSN": "219-09-9999",
    "IPv4": "198.51.100.23",
    "IPv6": "2001:db8:4006:812::200e",
    "GitHub token": "ghp_" + "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC1dE3fG5",
    "Stripe key": "sk_live_" + "51HxQ2eKd8sWmYvTz3RpL0aB",
    "AWS key id": "AKIA" + "Z7QX3MNV5TBW2YHC",
    "Slack token": "xoxb-" + "263594206564-2343594206574-FGqddMF8t08v8N7Oq4i57vs1",
    "JWT": "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
    "eyJzdWIiOiI0MiIsIm5hbWUiOiJNYXJpYSJ9.Zr3kqjvF0Yw6pXb1m8sT2nL5cQ7dE9gH",
    "Bitcoin address": "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
    "Ethereum address": "0x52908400098527886E0F7030069857D2E4169EE7",
    "MAC": "3c:22:fb:a1:0e:9d",
    "national id (Brazil)": "529.982.247-25",
}

_ZERO_WIDTH = {"zero-width space": "\u200b", "soft hyphen": "\u00ad", "word joiner": "\u2060"}
_SPACES = {
    "no-break space": "\u00a0",
    "thin space": "\u2009",
    "narrow no-break space": "\u202f",
    "figure space": "\u2007",
    "ideographic space": "\u3000",
}
_DASHES = {
    "non-breaking hyphen": "\u2011",
    "en dash": "\u2013",
    "em dash": "\u2014",
    "minus sign": "\u2212",
}


def _digits(first: str) -> Callable[[str], str]:
    return lambda v: "".join(chr(ord(first) + int(c)) if c in "0123456789" else c for c in v)


def _inserted(character: str) -> Callable[[str], str]:
    return lambda v: v[: len(v) // 2] + character + v[len(v) // 2 :]


def _replaced(old: str, new: str) -> Callable[[str], str]:
    return lambda v: v.replace(old, new)


def _framed(before: str, after: str) -> Callable[[str], str]:
    return lambda v: before + v + after


_FRAMES = {
    "sentence": ("request for ", " failed"),
    "start of text": ("", " was refused"),
    "end of text": ("refused: ", ""),
    "alone": ("", ""),
    "full stop": ("refused ", "."),
    "comma": ("refused ", ", retrying"),
    "semicolon": ("refused ", "; retrying"),
    "colon": ("value:", " refused"),
    "equals sign": ("value=", " refused"),
    "round brackets": ("refused (", ")"),
    "square brackets": ("refused [", "]"),
    "braces": ("refused {", "}"),
    "angle brackets": ("refused <", ">"),
    "double quotes": ('refused "', '"'),
    "single quotes": ("refused '", "'"),
    "backticks": ("refused `", "`"),
    "typographic quotes": ("refused \u201c", "\u201d"),
    "guillemets": ("refused \u00ab", "\u00bb"),
    "pipes": ("| a |", "| b |"),
    "asterisks": ("refused **", "**"),
    "newlines": ("refused\n", "\nretrying"),
    "CRLF": ("refused\r\n", "\r\nretrying"),
    "tabs": ("a\t", "\tz"),
    "NUL": ("a\x00", "\x00z"),
    "byte order mark": ("\ufeff", " z"),
    "written newline": ("refused\\n", "\\nretrying"),
    "written newline, escaped again": ("refused\\\\n", "\\\\nretrying"),
    "written tab": ("a\\t", "\\tz"),
    "written CRLF": ("a\\r\\n", "\\r\\nz"),
    "written Unicode escape": ("a\\u0020", "\\u0020z"),
    "written hex escape": ("a\\x20", "\\x20z"),
    "escaped quotes": ('{\\"v\\": \\"', '\\"}'),
    "escaped quotes, twice": ('{\\\\\\"v\\\\\\": \\\\\\"', '\\\\\\"}'),
    "syslog newline": ("a#012", "#012z"),
    "syslog tab": ("a#011", "#011z"),
    "ANSI colour": ("a \x1b[31m", "\x1b[0m z"),
    "ANSI colour, two codes": ("a \x1b[1;31m", "\x1b[0m z"),
    "written ANSI colour": ("a \\x1b[31m", "\\x1b[0m z"),
    "octal ANSI colour": ("a \\033[31m", "\\033[0m z"),
    "syslog ANSI colour": ("a #033[31m", "#033[0m z"),
    "journald-style JSON escape": ("a \\u001b[31m", "\\u001b[0m z"),
    "repr of bytes": ("b'", "'"),
    "repr of an exception": ('ValueError("bad value: ', '")'),
    "repr of a tuple": ("('v', '", "')"),
    "repr of a dictionary": ("{'v': '", "', 'w': 1}"),
    "repr of a set": ("{'", "'}"),
    "dataclass": ("Row(id=7, v='", "', ok=True)"),
    "named tuple": ("Row(v='", "')"),
    "Go struct": ("{Id:7 V:", " Ok:true}"),
    "Go quoted": ('{Id:7, V:"', '"}'),
    "Rust debug": ('Row { id: 7, v: "', '" }'),
    "Java toString": ("Row{id=7, v='", "'}"),
    "Java record": ("Row[id=7, v=", "]"),
    "Ruby inspect": ('#<Row id: 7, v: "', '">'),
    "PHP array": ('array("v" => "', '")'),
    "logfmt": ("level=info v=", " ok=true"),
    "logfmt, quoted": ('level=info v="', '" ok=true'),
    "key and value": ("v: ", ""),
    "YAML": ("id: 7\nv: ", "\nok: true"),
    "YAML list": ("- ", "\n- z"),
    "TOML": ('[row]\nv = "', '"\n'),
    "INI": ("[row]\nv = ", "\n"),
    "CSV": ("7,", ",true"),
    "CSV, quoted": ('7,"', '",true'),
    "TSV": ("7\t", "\ttrue"),
    "XML element": ("<row><v>", "</v></row>"),
    "XML attribute": ('<row v="', '"/>'),
    "CDATA": ("<v><![CDATA[", "]]></v>"),
    "HTML": ("<p>", "</p>"),
    "Markdown link": ("[", "](https://example.org)"),
    "SQL literal": ("SELECT * FROM t WHERE v = '", "' LIMIT 1"),
    "SQL parameters": ("[parameters: {'v': '", "'}]"),
    "psycopg detail": ("DETAIL:  Key (v)=(", ") already exists."),
    "URL path": ("GET /items/", "/edit HTTP/1.1"),
    "query": ("GET /items?v=", "&page=2 HTTP/1.1"),
    "CJK before and after": ("\u503c", "\u5931\u8d25"),
    "Cyrillic before": ("\u0438\u043c\u044f ", " \u2014 \u043d\u0435\u0442"),
    "emoji": ("\U0001f4e7", "\U0001f44d"),
    "httpx message": ("Client error '404 Not Found' for url 'https://api.example.org/v/", "'"),
    "key error": ("KeyError: '", "'"),
    "template": ("{{ v | default('", "') }}"),
}

WRAPPINGS: dict[str, Callable[[str], str]] = {
    **{name: _framed(before, after) for name, (before, after) in _FRAMES.items()},
    "JSON": lambda v: json.dumps({"id": 7, "v": v}),
    "JSON, indented": lambda v: json.dumps({"id": 7, "v": v}, indent=2),
    "JSON list": lambda v: json.dumps([1, v]),
    "JSON in a text": lambda v: "payload: " + json.dumps({"v": v}),
    "JSON in JSON": lambda v: json.dumps({"payload": json.dumps({"v": v})}),
    "JSON in JSON in JSON": lambda v: json.dumps({"p": json.dumps({"p": json.dumps({"v": v})})}),
    "JSON name": lambda v: json.dumps({v: 1}),
    "percent-encoding": lambda v: "GET /items?v=" + urllib.parse.quote(v, safe=""),
    "percent-encoding, twice": lambda v: (
        "GET /login?next=" + urllib.parse.quote(urllib.parse.quote(v, safe=""), safe="")
    ),
    "HTML entities": lambda v: "<p>" + html.escape(v).replace("@", "&#64;") + "</p>",
    "HTML entities, hexadecimal": lambda v: v.replace("@", "&#x40;").replace("+", "&#x2B;"),
    "full-width digits": _digits("\uff10"),
    "Arabic-Indic digits": _digits("\u0660"),
    "Devanagari digits": _digits("\u0966"),
    **{f"{name} inside": _inserted(character) for name, character in _ZERO_WIDTH.items()},
    **{f"{name} between groups": _replaced(" ", character) for name, character in _SPACES.items()},
    **{f"{name} between groups": _replaced("-", character) for name, character in _DASHES.items()},
    "upper-case e-mail": lambda v: v.upper() if "@" in v else v,
}


def probes() -> Iterator[Probe]:
    """Yield the matrix: every value in every wrapping."""
    for kind, value in VALUES.items():
        for name, wrap in WRAPPINGS.items():
            text = wrap(value)
            yield Probe(
                report=REPORT,
                group=name,
                label=kind,
                text=text,
                secret=_written(kind, name, value, wrap),
            )


def _written(kind: str, name: str, value: str, wrap: Callable[[str], str]) -> str:
    """Return the value as it is written in the wrapped text."""
    text = wrap(value)
    if value in text:
        return value
    # Encodings change the value itself: what stands after what they put before it.
    del kind, name
    alone = wrap("")
    before = 0
    while before < len(alone) and text[before] == alone[before]:
        before += 1
    after = 0
    while after < len(alone) - before and text[-1 - after] == alone[-1 - after]:
        after += 1
    return text[before : len(text) - after]
