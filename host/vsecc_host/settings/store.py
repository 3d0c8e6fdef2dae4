"""Layered settings: declaration < factory file < configuration file < runtime overrides < this run only."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from vsecc_host.settings.declarations import VARIABLES
from vsecc_host.settings.files import (
    OVERRIDES,
    Entry,
    forget_aside,
    read_json,
    read_toml,
    set_aside,
    write_atomically,
)
from vsecc_host.settings.variable import Acts, Key, Mutability, Value, Variable

DEFAULT_EVSES = 2


class SettingsError(ValueError):
    """One or more settings are wrong; `problems` has one line for each."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = list(problems)


class Layer(IntEnum):
    """Where a value comes from; the highest layer that has one wins."""

    DEFAULT = 0
    FACTORY = 1
    CONFIGURATION = 2
    OVERRIDE = 3
    RUN = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A value that became another one."""

    key: Key
    variable: Variable
    before: Value
    value: Value


Listener = Callable[[Change], None]


class Settings:
    """All settings of one station; reading never fails for a declared variable."""

    def __init__(self, *, evses: int = DEFAULT_EVSES, state_dir: Path | None = None) -> None:
        self._variables = {key: variable for variable in VARIABLES for key in variable.keys(evses)}
        self._layers: dict[Layer, dict[Key, Value]] = {layer: {} for layer in Layer}
        self._overrides_file = state_dir / OVERRIDES if state_dir is not None else None
        self._listeners: list[Listener] = []
        self.problems: list[str] = []  # with the overrides file; the lower layers count instead

    @classmethod
    def load(
        cls,
        *,
        factory: str | Path | None = None,
        config: str | Path | None = None,
        state_dir: str | Path | None = None,
        evses: int = DEFAULT_EVSES,
    ) -> Settings:
        """Read every layer; SettingsError names everything wrong with factory and configuration file."""
        settings = cls(evses=evses, state_dir=Path(state_dir) if state_dir is not None else None)
        problems: list[str] = []
        for layer, path, reader in (
            (Layer.FACTORY, factory, read_json),
            (Layer.CONFIGURATION, config, read_toml),
        ):
            if path is None:
                continue
            try:
                entries = reader(Path(path).read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                problems.append(f"{path}: {error}")
                continue
            problems += [f"{path}: {problem}" for problem in settings._fill(layer, entries)]
        if problems:
            raise SettingsError(problems)
        settings._load_overrides()
        return settings

    # --- reading ------------------------------------------------------------------------------------------

    def get(
        self,
        component: str,
        variable: str,
        *,
        evse: int | None = None,
        connector: int | None = None,
        instance: str | None = None,
        variable_instance: str | None = None,
    ) -> Value:
        """The value that counts; KeyError for an undeclared variable. Without `connector`: the only one."""
        return self.value(self.key(component, variable, evse, connector, instance, variable_instance))

    def text(self, component: str, variable: str, *, evse: int | None = None) -> str:
        """A value as text, for text and option variables."""
        return str(self.get(component, variable, evse=evse))

    def number(self, component: str, variable: str, *, evse: int | None = None) -> float:
        """A numeric value; TypeError for another kind."""
        value = self.get(component, variable, evse=evse)
        if isinstance(value, (str, bool)):
            raise TypeError(f"{component}/{variable} is not a number")
        return float(value)

    def flag(self, component: str, variable: str, *, evse: int | None = None) -> bool:
        """A boolean value; TypeError for another kind."""
        value = self.get(component, variable, evse=evse)
        if not isinstance(value, bool):
            raise TypeError(f"{component}/{variable} is neither true nor false")
        return value

    def members(self, component: str, variable: str, *, evse: int | None = None) -> tuple[str, ...]:
        """The words of a member list."""
        return tuple(word for word in self.text(component, variable, evse=evse).split(",") if word)

    def value(self, key: Key) -> Value:
        """The value at a full address."""
        layer = self.layer(key)
        if layer is not Layer.DEFAULT:
            return self._layers[layer][key]
        default = self._variables[key].default
        return self._filled_in(default, key) if isinstance(default, str) else default

    def layer(self, key: Key) -> Layer:
        """Where the value that counts comes from."""
        return next((layer for layer in reversed(Layer) if key in self._layers[layer]), Layer.DEFAULT)

    def variable(self, key: Key) -> Variable:
        """The declaration behind an address."""
        return self._variables[key]

    def keys(self) -> list[Key]:
        """Every address, in the order of the declarations."""
        return list(self._variables)

    def key(
        self,
        component: str,
        variable: str,
        evse: int | None = None,
        connector: int | None = None,
        instance: str | None = None,
        variable_instance: str | None = None,
    ) -> Key:
        """The full address of a variable; KeyError when there is none."""
        wanted = Key(component, instance, evse, connector, variable, variable_instance)
        for key in (wanted, wanted._replace(connector=1)):
            if key in self._variables:
                return key
        raise KeyError(f"no setting {wanted}")

    def _filled_in(self, default: str, key: Key) -> str:
        if "{serial}" in default:
            default = default.replace("{serial}", self.text("ChargingStation", "SerialNumber"))
        return default.replace("{evse}", str(key.evse))

    # --- writing ------------------------------------------------------------------------------------------

    def set(self, component: str, variable: str, value: object, *, evse: int | None = None) -> Acts:
        """Change a value for good; says when it acts. KeyError, SettingsError, OSError."""
        key = self.key(component, variable, evse)
        declared = self._variables[key]
        if declared.mutability is Mutability.READ_ONLY:
            raise SettingsError([f"{key} is read-only"])
        values = {key: self._parsed(key, value)}
        self._save({**self._layers[Layer.OVERRIDE], **values})  # first: what cannot be kept does not act
        self._change(values, Layer.OVERRIDE)
        return declared.acts

    def set_for_run(self, component: str, variable: str, value: object, *, evse: int | None = None) -> None:
        """Change a value until the program ends; nothing is written, read-only ones may be set too."""
        key = self.key(component, variable, evse)
        self._change({key: self._parsed(key, value)}, Layer.RUN)

    def reset(self) -> list[Change]:
        """Forget every override: back to configuration and factory values; what differs now. OSError."""
        before = {key: self.value(key) for key in self._layers[Layer.OVERRIDE]}
        if self._overrides_file is not None:
            forget_aside(self._overrides_file)
        self._save({})
        self._layers[Layer.OVERRIDE].clear()
        return self._announce(before)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Hear every change; call the result to stop."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def export(self, *, changed_only: bool = False) -> list[dict[str, object]]:
        """The settings as a factory file holds them; secrets are left out."""
        return [
            _row(key, self.value(key))
            for key, variable in self._variables.items()
            if not variable.secret and not (changed_only and self.layer(key) is Layer.DEFAULT)
        ]

    def _parsed(self, key: Key, value: object) -> Value:
        try:
            return self._variables[key].parse(value)
        except ValueError as error:
            raise SettingsError([f"{key}: {error}"]) from None

    def _change(self, values: dict[Key, Value], layer: Layer) -> None:
        before = {key: self.value(key) for key in values}
        self._layers[layer].update(values)
        self._announce(before)

    def _announce(self, before: dict[Key, Value]) -> list[Change]:
        changes = []
        for key, old in before.items():
            value = self.value(key)
            if value != old:
                changes.append(Change(key=key, variable=self._variables[key], before=old, value=value))
        for change in changes:
            for listener in tuple(self._listeners):
                listener(change)
        return changes

    # --- files ------------------------------------------------------------------------------------------

    def _fill(self, layer: Layer, entries: Iterable[Entry]) -> list[str]:
        """Take entries into a layer; returns every problem, unknown names as one."""
        unknown: list[str] = []
        problems: list[str] = []
        for entry in entries:
            keys = self._keys_of(entry)
            if not keys:
                unknown.append(str(entry))
            for key in keys:
                declared = self._variables[key]
                if declared.mutability is Mutability.READ_ONLY and layer is not Layer.FACTORY:
                    problems.append(f"{key} is read-only")
                    continue
                try:
                    self._layers[layer][key] = declared.parse(entry.value)
                except ValueError as error:
                    problems.append(f"{key}: {error}")
        if unknown:
            problems.insert(0, f"unknown settings: {', '.join(unknown)}")
        return problems

    def _keys_of(self, entry: Entry) -> list[Key]:
        return [
            key
            for key in self._variables
            if (key.component, key.variable) == (entry.component, entry.variable)
            and (key.instance, key.variable_instance) == (entry.instance, entry.variable_instance)
            and entry.evse in (None, key.evse)
            and entry.connector in (None, key.connector)
        ]

    def _load_overrides(self) -> None:
        path = self._overrides_file
        if path is None or not path.exists():
            return
        try:
            entries = read_json(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            self.problems.append(f"{path} is unreadable ({error}); factory values count, {_set_aside(path)}")
            return
        self.problems += [f"{path}: {problem}" for problem in self._fill(Layer.OVERRIDE, entries)]

    def _save(self, overrides: dict[Key, Value]) -> None:
        if self._overrides_file is None:
            return
        rows = [_row(key, value) for key, value in overrides.items()]
        write_atomically(self._overrides_file, json.dumps(rows, indent=1, ensure_ascii=False) + "\n")


def _set_aside(path: Path) -> str:
    """Where the unreadable file is now, in words: the station runs although the disk cannot be written."""
    try:
        return f"kept as {set_aside(path)}"
    except OSError as error:
        return f"left there ({error.strerror})"


def _row(key: Key, value: Value) -> dict[str, object]:
    row: dict[str, object] = {"component": key.component}
    if key.instance is not None:
        row["instance"] = key.instance
    if key.evse is not None:
        row["evse"] = key.evse
    if key.connector is not None:
        row["connector"] = key.connector
    row["variable"] = key.variable
    if key.variable_instance is not None:
        row["variableInstance"] = key.variable_instance
    row["value"] = value
    return row
