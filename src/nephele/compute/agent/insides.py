"""What reaches into a guest."""

from nephele.compute import messages as m
from nephele.compute.agent.host import Host
from nephele.compute.messages import insides


class Insides:
    """Sets passwords and injects interrupts."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def set_password(self, order: insides.SetPassword) -> m.Done:
        """Set the password of whom the image calls its administrator, or else its system does."""
        asked = self.host.server(order).image_properties
        user = "Administrator" if asked.get("os_type") == "windows" else "root"
        self.host.driver.set_password(order.server_id, asked.get("os_admin_user") or user, order.password)
        return self.host.done(order)

    def inject_nmi(self, order: insides.InjectNmi) -> m.Done:
        """Interrupt the guest."""
        self.host.driver.inject_nmi(order.server_id)
        return self.host.done(order)
