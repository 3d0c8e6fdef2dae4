"""Every setting of the station, in one list; documentation, files, pages and OCPP all read it."""

from __future__ import annotations

from functools import partial

from vsecc_host.settings.variable import Acts, Kind, Mutability, Scope, Variable

_station = partial(Variable, component="ChargingStation")
_fact = partial(_station, kind=Kind.TEXT, mutability=Mutability.READ_ONLY, acts=Acts.RESTART)
_ccc = partial(Variable, component="ChargingCommunicationCtrlr", acts=Acts.NEXT_SESSION)
_power = partial(Variable, component="PowerElectronics", scope=Scope.EVSE, acts=Acts.RESTART)
_simulated = partial(
    Variable, component="SimulatedPower", scope=Scope.EVSE, acts=Acts.RESTART, kind=Kind.DECIMAL, minimum=0.0
)
_tls = partial(Variable, component="ISO15118Ctrlr", acts=Acts.RESTART)
_slac = partial(Variable, component="Slac", scope=Scope.EVSE, acts=Acts.RESTART)
_cable = partial(
    Variable, component="Cable", scope=Scope.EVSE, acts=Acts.NEXT_SESSION, kind=Kind.DECIMAL, minimum=0.0
)

_CHARGING_STATION = (
    _station(
        variable="Identity",
        kind=Kind.TEXT,
        default="vsecc-{serial}",
        acts=Acts.RESTART,
        description="Identity of the station at the CSMS",
    ),
    _station(
        variable="BaseUri",
        kind=Kind.TEXT,
        default="",
        acts=Acts.RESTART,
        description="Address of the CSMS; http(s) is read as ws(s)",
    ),
    _station(
        variable="MaxPower",
        kind=Kind.DECIMAL,
        default=1_000_000.0,
        minimum=0.0,
        unit="W",
        acts=Acts.NOW,
        description="Most the whole station may draw; shared by the outlets that charge",
    ),
    _fact(variable="Model", default="vSECC", description="Model told to the CSMS"),
    _fact(variable="VendorName", default="vsecc", description="Vendor told to the CSMS"),
    _fact(variable="SerialNumber", default="000000", description="Serial number of the device"),
    _fact(variable="FirmwareVersion", default="0.1.0", description="Version of the running software"),
    _fact(
        variable="BootReason",
        default="Unknown",
        description="Why the station started last",
    ),
)

_BACK_END = (
    Variable(
        component="OCPPCommCtrlr",
        variable="BackendComActivated",
        kind=Kind.BOOLEAN,
        default=False,
        acts=Acts.RESTART,
        description="False: no CSMS at all",
    ),
    Variable(
        component="SecurityCtrlr",
        variable="BasicAuthPassword",
        kind=Kind.TEXT,
        default="",
        acts=Acts.RESTART,
        mutability=Mutability.WRITE_ONLY,
        secret=True,
        description="HTTP basic password for the CSMS",
    ),
    Variable(
        component="SecurityCtrlr",
        variable="Identity",
        kind=Kind.TEXT,
        default="",
        acts=Acts.RESTART,
        description="HTTP basic user name; empty: ChargingStation/Identity",
    ),
    Variable(
        component="AuthCtrlr",
        variable="Enabled",
        kind=Kind.BOOLEAN,
        default=False,
        acts=Acts.NEXT_SESSION,
        description="True: somebody has to authorise each session; false: every car may charge",
    ),
    Variable(
        component="DefaultChargingProfile",
        variable="SchedulePeriodLimits",
        kind=Kind.DECIMAL,
        default=500_000.0,
        minimum=0.0,
        acts=Acts.NOW,
        description="Limit when the CSMS gave no profile, in the unit of DefaultChargingProfile/Unit",
    ),
    Variable(
        component="DefaultChargingProfile",
        variable="Unit",
        kind=Kind.OPTION,
        default="W",
        allowed=("W", "A"),
        acts=Acts.NOW,
        description="Unit of DefaultChargingProfile/SchedulePeriodLimits",
    ),
)

_CARS = (
    _ccc(
        variable="Protocols",
        kind=Kind.MEMBERS,
        default="din,iso2",
        allowed=("din", "iso2"),
        description="Protocols offered to cars; the car's priority decides",
    ),
    _ccc(
        variable="AbortOnInvalidRequestCurrent",
        kind=Kind.BOOLEAN,
        default=True,
        description="A request above the told current limit: true ends the session, false reduces",
    ),
    _ccc(
        variable="AbortOnInvalidRequestPower",
        kind=Kind.BOOLEAN,
        default=True,
        description="The same for voltage times current above the told power limit",
    ),
    _ccc(
        variable="AbortOnInvalidChargingProfile",
        kind=Kind.BOOLEAN,
        default=False,
        description="A plan of an ISO 15118-2 car above the schedule it was offered: true refuses the start",
    ),
    _ccc(
        variable="RenegotiateAbove",
        kind=Kind.DECIMAL,
        default=20.0,
        minimum=0.0,
        maximum=100.0,
        unit="%",
        description="Change of the power limit that lets us ask ISO 15118-2 cars to renegotiate; 0: never",
    ),
    _ccc(
        variable="StopDelay",
        kind=Kind.DECIMAL,
        default=0.0,
        minimum=0.0,
        maximum=60.0,
        unit="s",
        description="Time a car gets to react to a normal stop (NotificationMaxDelay)",
    ),
    _ccc(
        variable="StopWait",
        kind=Kind.DECIMAL,
        default=10.0,
        minimum=1.0,
        maximum=120.0,
        unit="s",
        description="Time on top of StopDelay before a normal stop becomes a hard one",
    ),
    _ccc(
        variable="RestartPause",
        kind=Kind.DECIMAL,
        default=5.0,
        minimum=0.0,
        maximum=3600.0,
        unit="s",
        description="Pause between two sessions of one plug-in",
    ),
    _tls(
        variable="TlsPolicy",
        kind=Kind.OPTION,
        default="off",
        allowed=("off", "offer", "require"),
        description="TLS towards cars: never, for those that ask, for all (then DIN is impossible)",
    ),
    _tls(
        variable="TlsCertificateChain",
        kind=Kind.TEXT,
        default="",
        description="PEM file, leaf first, or the folder of chain.pem and key.pem; changed files act at once",
    ),
    _tls(
        variable="TlsPrivateKey",
        kind=Kind.TEXT,
        default="",
        description="PEM file with the key of the leaf; empty: key.pem beside the chain",
    ),
    Variable(
        component="Connector",
        variable="DinChargingMode",
        kind=Kind.OPTION,
        default="DC_extended",
        allowed=("DC_extended", "DC_core"),
        scope=Scope.CONNECTOR,
        acts=Acts.NEXT_SESSION,
        description="Energy transfer type offered to DIN cars",
    ),
    Variable(
        component="Connector",
        variable="LockEnabled",
        kind=Kind.BOOLEAN,
        default=False,
        scope=Scope.CONNECTOR,
        acts=Acts.NEXT_SESSION,
        description="Drive the connector lock of this outlet",
    ),
)

_OUTLETS = (
    Variable(
        component="EVSE",
        variable="EvseId",
        kind=Kind.TEXT,
        default="DE*VSE*E{evse}",
        scope=Scope.EVSE,
        acts=Acts.NEXT_SESSION,
        description="EVSEID told to cars",
    ),
    Variable(
        component="EVSE",
        variable="MaxPower",
        kind=Kind.DECIMAL,
        default=500_000.0,
        minimum=0.0,
        unit="W",
        scope=Scope.EVSE,
        acts=Acts.NEXT_SESSION,
        description="Most this outlet may deliver, whatever the power electronics can do",
    ),
    _cable(variable="MaxVoltage", default=1000.0, unit="V", description="Rated voltage of cable and plug"),
    _cable(variable="MaxCurrent", default=500.0, unit="A", description="Rated current of cable and plug"),
    Variable(
        component="Plc",
        variable="Url",
        kind=Kind.TEXT,
        default="sim://",
        scope=Scope.EVSE,
        acts=Acts.RESTART,
        description="Where cars are reached: sim:// (loopback), iface://eth1, iface://eth1?slac=off",
    ),
    Variable(
        component="Mcu",
        variable="Url",
        kind=Kind.TEXT,
        default="serial:///dev/ttyACM0?baud=921600",
        acts=Acts.RESTART,
        description="Where the safety controller is reached: serial://, tcp://, pty://",
    ),
    Variable(
        component="Mcu",
        variable="AllowedImages",
        kind=Kind.TEXT,
        default="",
        acts=Acts.RESTART,
        description="SHA-256 of the MCU images to charge with, hex, comma separated; empty: any",
    ),
)

_TERMINALS = (
    Variable(
        component="PowerElectronicsTerminals",
        variable="HoldOutputs",
        kind=Kind.BOOLEAN,
        default=False,
        acts=Acts.RESTART,
        description="Digital outputs whose power electronics are gone: true keeps them, false: off after 5 s",
    ),
    Variable(
        component="PowerElectronicsTerminals",
        variable="TemperatureConversion",
        kind=Kind.OPTION,
        default="Original",
        allowed=("Original", "IEC60751"),
        acts=Acts.RESTART,
        description="PT1000 to temperature: 0.29 R - 295 as the original device, or the curve of IEC 60751",
    ),
)

_MATCHING = (
    _slac(
        variable="AttenuationOffset",
        kind=Kind.TEXT,
        default="0",
        pattern=r"[0-9]{1,2}|([0-9]{1,2},){57}[0-9]{1,2}",
        form="one whole number up to 99, or 58 with commas",
        unit="dB",
        description="Loss of this outlet's own cable and coupling, taken off what its modem measures",
    ),
    _slac(
        variable="StandInAttenuation",
        kind=Kind.BOOLEAN,
        default=False,
        description="True: fixed values for a modem that cannot measure; never with a neighbour in earshot",
    ),
    _slac(
        variable="Validation",
        kind=Kind.BOOLEAN,
        default=True,
        description="CM_VALIDATE by B-C-B toggles; false: answered with failure, cars go on without",
    ),
    _slac(
        variable="InitTimeout",
        kind=Kind.DECIMAL,
        default=40.0,
        minimum=20.0,
        maximum=50.0,
        unit="s",
        description="TT_EVSE_SLAC_init: 5 % on until the first request of the car, then it is woken up",
    ),
    _slac(
        variable="WakeUps",
        kind=Kind.INTEGER,
        default=2,
        minimum=0,
        maximum=10,
        description="C_sequ_retry: how often a silent car is woken up by state F",
    ),
    _slac(
        variable="MatchingRuns",
        kind=Kind.INTEGER,
        default=5,
        minimum=3,
        maximum=50,
        description="C_conn_max_match: joins that may fail before the cable has to come out",
    ),
    _slac(
        variable="ResetDeadModem",
        kind=Kind.BOOLEAN,
        default=True,
        description="Restart the modem once when it stops answering",
    ),
)

_INPUTS = (
    Variable(
        component="EmergencyStop",
        variable="Input",
        kind=Kind.OPTION,
        default="none",
        allowed=("none", *(f"d{number}" for number in range(1, 9))),
        acts=Acts.RESTART,
        description="Digital input of the emergency stop; stops every outlet while it is active",
    ),
    Variable(
        component="EmergencyStop",
        variable="ActiveLow",
        kind=Kind.BOOLEAN,
        default=True,
        acts=Acts.RESTART,
        description="True: the input is on while all is well, so that a broken wire stops too",
    ),
)

_POWER = (
    _power(
        variable="Type",
        kind=Kind.OPTION,
        default="Simulation",
        allowed=("Simulation", "Websocket"),
        description="Internal simulation, or power electronics reached by PEP",
    ),
    _power(
        variable="Uri",
        kind=Kind.TEXT,
        default="http://localhost:8080/PowerElectronics",
        pattern=r"(?i:https?|wss?)://[^/\s]\S*",
        form="an address such as ws://host:port/path",
        description="Address of the power electronics; http(s) is read as ws(s)",
    ),
    _power(
        variable="PepVersion",
        kind=Kind.OPTION,
        default="1.2",
        allowed=("auto", "1.1", "1.2", "1.3", "1.4", "1.5", "1.6", "1.7", "1.8"),
        description="Version of PEP to speak; auto: the newest both know",
    ),
    _power(
        variable="RequireSubprotocol",
        kind=Kind.BOOLEAN,
        default=False,
        description="True: power electronics that choose no PEP version in the handshake are refused",
    ),
    _power(
        variable="AllowIsolationWarning",
        kind=Kind.BOOLEAN,
        default=False,
        acts=Acts.NEXT_SESSION,
        description="True: a cable check that ends with an isolation warning counts as passed",
    ),
    _power(
        variable="AllowMissingImd",
        kind=Kind.BOOLEAN,
        default=False,
        description="True: power electronics without isolation monitor (noImd) may charge",
    ),
    _power(
        variable="MaxTemperature",
        kind=Kind.DECIMAL,
        default=100.0,
        minimum=0.0,
        maximum=200.0,
        unit="Celsius",
        description="Above this temperature of the power electronics no energy flows",
    ),
    _simulated(variable="MinVoltage", default=50.0, unit="V", description="Lowest voltage"),
    _simulated(variable="MaxVoltage", default=1000.0, unit="V", description="Highest voltage"),
    _simulated(variable="MinCurrent", default=0.0, unit="A", description="Lowest current"),
    _simulated(variable="MaxCurrent", default=400.0, unit="A", description="Highest current"),
    _simulated(variable="MaxPower", default=150_000.0, unit="W", description="Highest power"),
    _simulated(
        variable="IsolationTime",
        default=2.0,
        maximum=25.0,
        unit="s",
        description="Length of the isolation measurement",
    ),
)

VARIABLES: tuple[Variable, ...] = (
    *_CHARGING_STATION,
    *_BACK_END,
    *_CARS,
    *_OUTLETS,
    *_MATCHING,
    *_INPUTS,
    *_TERMINALS,
    *_POWER,
)
