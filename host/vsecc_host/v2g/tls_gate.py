"""What one outlet does about TLS: policy, whether its certificate can be used now, telling so once."""

from __future__ import annotations

import logging

from vsecc_host.v2g import sdp
from vsecc_host.v2g.config import TlsPolicy, V2gConfig
from vsecc_host.v2g.tls import TlsChannel, TlsCredentials

logger = logging.getLogger(__name__)


class TlsGate:
    """Decides the security of SDP answers and opens the channels of TLS connections."""

    def __init__(self, evse_id: int, config: V2gConfig) -> None:
        self._evse_id = evse_id
        self._policy = config.tls.policy
        self.protocols = config.offered(tls=True)  # may change while running
        self._credentials = TlsCredentials(config.tls.chain, config.tls.key)
        self._told: str | None = None  # the problem in the log, empty for none

    @property
    def open(self) -> bool:
        """The TLS port is wanted."""
        return self._policy is not TlsPolicy.OFF

    @property
    def obstacle(self) -> str:
        """Why no car can be served: TLS is required and was not possible when last looked at; or empty."""
        return self._told or "" if self._policy is TlsPolicy.REQUIRE else ""

    def ready(self) -> bool:
        """A car could be served over TLS now; a change is told in one line."""
        if not self.open or (self._policy is TlsPolicy.OFFER and not self.protocols):
            return False
        problem = self._problem()
        if problem != self._told:
            self._told = problem
            self._tell(problem)
        return not problem

    def answer(self, request: sdp.SdpRequest) -> sdp.Security | None:
        """The security byte for a car that asks; None for silence."""
        return sdp.answer_security(request, required=self._policy is TlsPolicy.REQUIRE, ready=self.ready())

    def channel(self) -> TlsChannel | None:
        """For a new connection; None while our certificate cannot be used."""
        context = self._credentials.context() if self.ready() else None
        return TlsChannel(context) if context is not None else None

    def reload(self) -> None:
        """Read the files again although they look unchanged, and tell about them again."""
        self._credentials.reload()
        self._told = None
        self.ready()

    def _problem(self) -> str:
        if not self.protocols:
            return "DIN SPEC 70121 runs without TLS only, and no other protocol is enabled"
        return self._credentials.problem()

    def _tell(self, problem: str) -> None:
        if not problem:
            logger.info("EVSE %d: TLS with certificate %s", self._evse_id, self._credentials.summary)
            if self._credentials.hint:
                logger.warning("EVSE %d: TLS: %s", self._evse_id, self._credentials.hint)
        elif self._policy is TlsPolicy.REQUIRE:
            logger.error("EVSE %d: no car can charge, TLS is required: %s", self._evse_id, problem)
        else:
            logger.warning("EVSE %d: goes on without TLS: %s", self._evse_id, problem)
