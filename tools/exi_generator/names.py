"""How schema names become Python names: one rule, one table of exceptions."""

import keyword
import re

# Parts of schema names whose capitals mislead the rule below, written so that the rule gets them right.
_EXCEPTIONS = (
    ("EMAID", "Emaid"),
    ("eMAID", "Emaid"),
    ("EVRESSSOC", "EV_RESS_SOC"),
    ("EVRESS", "EV_RESS"),
    ("PMax", "Pmax"),
    ("SoC", "Soc"),
    ("IDs", "Ids"),
    ("DHParams", "DH_Params"),
    ("DHpublickey", "DH_publickey"),
    ("DHPublicKey", "DH_PublicKey"),
    ("V2GMessage", "V2g_Message"),
    ("V2G", "V2g"),
    ("V2X", "V2x"),
    ("VARh", "Varh"),
    ("PnC", "Pnc"),
    ("XPath", "Xpath"),
    ("AReqAuthorization", "A_Req_Authorization"),
)
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z0-9]+")

# Schema type names whose shortened form would be too general or taken.
_CLASS_EXCEPTIONS = {
    "valueType": "ValueType",
    "EVRequestedEnergyTransferType": "EvRequestedEnergyTransferType",
    "EVSESupportedEnergyTransferType": "EvseSupportedEnergyTransferType",
}

# Fields that stand for a choice of elements without a common ending.
CHOICE_FIELDS = {("AbsolutePriceSchedule", "PriceLevelSchedule"): "price_schedule"}


def words(name: str) -> list[str]:
    """The lower-case words of a schema name: DC_EVStatus gives dc, ev, status."""
    for text, replacement in _EXCEPTIONS:
        name = name.replace(text, replacement)
    return [word.lower() for word in _WORD.findall(name)]


def field_name(name: str) -> str:
    """DC_EVStatus gives dc_ev_status."""
    result = "_".join(words(name))
    return result + "_" if keyword.iskeyword(result) else result


def class_name(name: str) -> str:
    """DC_EVStatusType gives DcEvStatus, responseCodeType gives ResponseCode."""
    if name in _CLASS_EXCEPTIONS:
        return _CLASS_EXCEPTIONS[name]
    return "".join(word.capitalize() for word in words(name.removesuffix("Type")))


def member_name(text: str) -> str:
    """The schema's text as far as Python allows: W/s gives W_s, None gives None_."""
    result = re.sub(r"\W", "_", text)
    return result + "_" if keyword.iskeyword(result) else result


def choice_field_name(elements: tuple[str, ...]) -> str:
    """Name of the field for one of several elements: what their names have in common at the end."""
    if elements in CHOICE_FIELDS:
        return CHOICE_FIELDS[elements]
    endings = [words(name)[::-1] for name in elements]
    common = []
    for same in zip(*endings, strict=False):
        if len(set(same)) > 1:
            break
        common.append(same[0])
    if not common:
        raise ValueError(f"no common ending of {elements}: add it to CHOICE_FIELDS")
    return "_".join(common[::-1])
