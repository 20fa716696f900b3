"""Every refusal of the network service; `name` is what clients read as `NeutronError.type`."""

from nephele.kernel.errors import Error


def _missing(kind: str, name: str, sentence: str) -> Error:
    return Error(f"network.{kind}_not_found", 404, sentence, name=name)


NOT_AUTHORIZED = Error(
    "network.not_authorized", 403, "(rule:{rule}) is disallowed by policy", name="PolicyNotAuthorized"
)
BAD_BODY = Error("network.bad_body", 400, "{reason}", name="HTTPBadRequest")
BAD_ATTRIBUTE = Error(
    "network.bad_attribute", 400, "Invalid input for {attribute}. Reason: {reason}.", name="HTTPBadRequest"
)
BAD_INPUT = Error("network.bad_input", 400, "Invalid input for operation: {reason}.", name="InvalidInput")
BAD_REQUEST = Error("network.bad_request", 400, "Bad {resource} request: {reason}.", name="BadRequest")
REVISION_DIFFERS = Error(
    "network.revision_differs",
    412,
    "Constrained to {wanted}, but current revision is {revision}",
    name="RevisionNumberConstraintFailed",
)
OVER_QUOTA = Error(
    "network.over_quota",
    409,
    "Quota exceeded for resources: ['{resource}'].",
    "Delete what is not used, or have an administrator raise the project's quota.",
    "OverQuota",
)
QUOTA_UNKNOWN = Error(
    "network.quota_unknown", 400, "Unknown quota resources ['{resource}'].", name="QuotaResourceUnknown"
)
NO_PROJECT = Error(
    "network.no_project",
    400,
    "Running without keystone AuthN requires that tenant_id is specified",
    name="HTTPBadRequest",
)
EXTENSION_NOT_FOUND = _missing("extension", "ExtensionNotFound", "Extension with alias {id} does not exist")
TAG_NOT_FOUND = _missing("tag", "TagNotFound", "Tag {tag} could not be found.")
PROVIDER_UNSUPPORTED = Error(
    "network.provider_unsupported",
    400,
    "Invalid input for operation: {reason}.",
    "The hosts' data path has flat, vxlan and local networks.",
    "InvalidInput",
)

# Networks
NETWORK_NOT_FOUND = _missing("network", "NetworkNotFound", "Network {id} could not be found.")
NETWORK_IN_USE = Error(
    "network.network_in_use",
    409,
    "Unable to complete operation on network {id}. There are one or more ports still in use on the network, "
    "id for these ports is: {ports}.",
    "Delete or detach those ports.",
    "NetworkInUse",
)
NETWORK_SHARED = Error(
    "network.network_shared",
    409,
    "Unable to reconfigure sharing settings for network {id}. Multiple tenants are using it.",
    name="InvalidSharedSetting",
)
EXTERNAL_IN_USE = Error(
    "network.external_in_use",
    409,
    "External network {id} cannot be updated to be made non-external, since it has existing gateway ports.",
    name="ExternalNetworkInUse",
)
FLAT_IN_USE = Error(
    "network.flat_in_use",
    409,
    "Unable to create the flat network. Physical network {physical_network} is in use.",
    name="FlatNetworkInUse",
)
VNI_IN_USE = Error(
    "network.vni_in_use", 409, "Unable to create the network. The tunnel ID {vni} is in use.", name="TunnelIdInUse"
)
NO_VNI = Error(
    "network.no_vni",
    503,
    "Unable to create the network. No tenant network is available for allocation.",
    "All VXLAN identifiers of this cloud are in use.",
    "NoNetworkAvailable",
)

# Subnets and addresses
SUBNET_NOT_FOUND = _missing("subnet", "SubnetNotFound", "Subnet {id} could not be found.")
SUBNET_IN_USE = Error(
    "network.subnet_in_use",
    409,
    "Unable to complete operation on subnet {id}: {reason}.",
    "Release those addresses first.",
    "SubnetInUse",
)
GATEWAY_IN_USE = Error(
    "network.gateway_in_use",
    409,
    "Current gateway ip {ip} already in use by port {port_id}. Unable to update.",
    name="GatewayIpInUse",
)
GATEWAY_IN_POOL = Error(
    "network.gateway_in_pool",
    409,
    "Gateway ip {ip} conflicts with allocation pool {pool}.",
    name="GatewayConflictWithAllocationPools",
)
POOLS_OVERLAP = Error(
    "network.pools_overlap",
    409,
    "Found overlapping allocation pools: {first} {second} for subnet {cidr}.",
    name="OverlappingAllocationPools",
)
POOL_OUTSIDE = Error(
    "network.pool_outside",
    400,
    "The allocation pool {pool} spans beyond the subnet cidr {cidr}.",
    name="OutOfBoundsAllocationPool",
)
BAD_POOL = Error("network.bad_pool", 400, "The allocation pool {pool} is not valid.", name="InvalidAllocationPool")
ADDRESS_TAKEN = Error(
    "network.address_taken",
    409,
    "IP address {ip} already allocated in subnet {subnet_id}.",
    name="IpAddressAlreadyAllocated",
)
ADDRESS_OUTSIDE_SUBNET = Error(
    "network.address_outside_subnet",
    400,
    "IP address {ip} is not a valid IP for the specified subnet.",
    name="InvalidIpForSubnet",
)
ADDRESS_OUTSIDE_NETWORK = Error(
    "network.address_outside_network",
    400,
    "IP address {ip} is not a valid IP for any of the subnets on the specified network.",
    name="InvalidIpForNetwork",
)
NO_ADDRESS_LEFT = Error(
    "network.no_address_left",
    409,
    "No more IP addresses available on network {id}.",
    "Widen the allocation pools, or add a subnet.",
    "IpAddressGenerationFailure",
)

# Ports
PORT_NOT_FOUND = _missing("port", "PortNotFound", "Port {id} could not be found.")
PORT_IN_USE = Error(
    "network.port_in_use",
    409,
    "Unable to complete operation on port {id} for network {network_id}. "
    "Port already has an attached device {device_id}.",
    name="PortInUse",
)
PORT_SERVES = Error(
    "network.port_serves",
    409,
    "Port {id} cannot be deleted directly via the port API: {reason}.",
    name="ServicePortInUse",
)
MAC_TAKEN = Error(
    "network.mac_taken",
    409,
    "Unable to complete operation for network {network_id}. The mac address {mac} is in use.",
    name="MacAddressInUse",
)
PORT_BOUND = Error(
    "network.port_bound",
    409,
    "Unable to complete operation on port {id}, port is already bound, port type: {vif_type}, "
    "old_mac {mac}, new_mac {new_mac}.",
    name="PortBound",
)
SECURITY_NEEDS_ADDRESS = Error(
    "network.security_needs_address",
    400,
    "Port security must be enabled and port must have an IP address in order to use security groups.",
    name="PortSecurityAndIPRequiredForSecurityGroups",
)
SECURITY_IN_USE = Error(
    "network.security_in_use",
    409,
    "Port has security group associated. Cannot disable port security or IP address until security group is removed.",
    name="PortSecurityPortHasSecurityGroup",
)
PAIRS_NEED_SECURITY = Error(
    "network.pairs_need_security",
    409,
    "Port Security must be enabled in order to have allowed address pairs on a port.",
    name="AddressPairAndPortSecurityRequired",
)
DUPLICATE_PAIR = Error(
    "network.duplicate_pair",
    400,
    "Request contains duplicate address pair: mac_address {mac} ip_address {ip}.",
    name="DuplicateAddressPairInRequest",
)
TOO_MANY_PAIRS = Error(
    "network.too_many_pairs",
    400,
    "The number of allowed address pair exceeds the maximum {limit}.",
    name="AddressPairExhausted",
)

# Security groups
GROUP_NOT_FOUND = _missing("security_group", "SecurityGroupNotFound", "Security group {id} does not exist")
GROUP_IN_USE = Error(
    "network.security_group_in_use",
    409,
    "Security Group {id} {reason}.",
    "Remove it from those ports.",
    "SecurityGroupInUse",
)
GROUP_IS_DEFAULT = Error(
    "network.security_group_is_default",
    409,
    "Insufficient rights for removing default security group.",
    name="SecurityGroupCannotRemoveDefault",
)
DEFAULT_EXISTS = Error(
    "network.default_group_exists",
    409,
    "Default security group already exists.",
    name="SecurityGroupDefaultAlreadyExists",
)
DEFAULT_FIXED = Error(
    "network.default_group_fixed",
    409,
    "Updating default security group not allowed.",
    name="SecurityGroupCannotUpdateDefault",
)
RULE_NOT_FOUND = _missing("security_group_rule", "SecurityGroupRuleNotFound", "Security group rule {id} does not exist")
RULE_EXISTS = Error(
    "network.rule_exists", 409, "Security group rule already exists. Rule id is {id}.", name="SecurityGroupRuleExists"
)
RULE_TWO_REMOTES = Error(
    "network.rule_two_remotes",
    400,
    "Only remote_ip_prefix or remote_group_id or remote_address_group_id may be provided.",
    name="SecurityGroupMultipleRemoteEntites",
)
RULE_BAD_RANGE = Error(
    "network.rule_bad_range",
    400,
    "For TCP/UDP protocols, port_range_min must be <= port_range_max.",
    name="SecurityGroupInvalidPortRange",
)
RULE_BAD_PORT = Error(
    "network.rule_bad_port", 400, "Invalid value for port {port}.", name="SecurityGroupInvalidPortValue"
)
RULE_BAD_ICMP = Error(
    "network.rule_bad_icmp",
    400,
    "Invalid value for ICMP {field} ({attribute}) {value}. It must be 0 to 255.",
    name="SecurityGroupInvalidIcmpValue",
)
RULE_ICMP_TYPE_MISSING = Error(
    "network.rule_icmp_type_missing",
    400,
    "ICMP code (port-range-max) {value} is provided but ICMP type (port-range-min) is missing.",
    name="SecurityGroupMissingIcmpType",
)
RULE_PORTS_NEED_PROTOCOL = Error(
    "network.rule_ports_need_protocol",
    400,
    "Must also specify protocol if port range is given.",
    name="SecurityGroupProtocolRequiredWithPorts",
)
RULE_PROTOCOL_HAS_NO_PORTS = Error(
    "network.rule_protocol_has_no_ports",
    400,
    "Invalid port range for protocol {protocol}: only TCP, UDP, UDPLITE, SCTP and DCCP have ports.",
    name="SecurityGroupInvalidProtocolForPort",
)
RULE_BAD_PROTOCOL = Error(
    "network.rule_bad_protocol",
    400,
    "Security group rule protocol {protocol} not supported. Only protocol values {names} and integer "
    "representations [0 to 255] are supported.",
    name="SecurityGroupRuleInvalidProtocol",
)
RULE_PROTOCOL_ETHERTYPE = Error(
    "network.rule_protocol_ethertype",
    400,
    "Invalid ethertype {ethertype} for protocol {protocol}.",
    name="SecurityGroupEthertypeConflictWithProtocol",
)
RULE_BAD_PREFIX = Error(
    "network.rule_bad_prefix",
    400,
    "Conflicting value ethertype {ethertype} for CIDR {cidr}.",
    name="SecurityGroupRuleParameterConflict",
)
RULES_MIXED = Error(
    "network.rules_mixed",
    400,
    "Only allowed to update rules for one security profile at a time.",
    name="SecurityGroupNotSingleGroupRules",
)

# Routers and floating IPs
ROUTER_NOT_FOUND = _missing("router", "RouterNotFound", "Router {id} could not be found.")
ROUTER_IN_USE = Error("network.router_in_use", 409, "Router {id} {reason}.", name="RouterInUse")
INTERFACE_NOT_FOUND = _missing(
    "router_interface", "RouterInterfaceNotFound", "Router {id} does not have an interface with id {port_id}."
)
INTERFACE_NOT_FOUND_FOR_SUBNET = _missing(
    "router_interface_of_subnet",
    "RouterInterfaceNotFoundForSubnet",
    "Router {id} has no interface on subnet {subnet_id}.",
)
INTERFACE_MISMATCH = Error(
    "network.interface_mismatch",
    400,
    "Subnet {subnet_id} could not be found on port {port_id}.",
    name="SubnetMismatchForPort",
)
INTERFACE_IN_USE_BY_FLOATING = Error(
    "network.interface_in_use_by_floating",
    409,
    "Router interface for subnet {subnet_id} on router {id} cannot be deleted, "
    "as it is required by one or more floating IPs.",
    name="RouterInterfaceInUseByFloatingIP",
)
INTERFACE_IN_USE_BY_ROUTE = Error(
    "network.interface_in_use_by_route",
    409,
    "Router interface for subnet {subnet_id} on router {id} cannot be deleted, "
    "as it is required by one or more routes.",
    name="RouterInterfaceInUseByRoute",
)
GATEWAY_IN_USE_BY_FLOATING = Error(
    "network.gateway_in_use_by_floating",
    409,
    "Gateway cannot be updated for router {id}, since a gateway to external network {network_id} is required by one or "
    "more floating IPs.",
    name="RouterExternalGatewayInUseByFloatingIp",
)
BAD_ROUTES = Error("network.bad_routes", 400, "Invalid format for routes: {routes}, {reason}", name="InvalidRoutes")
FLOATING_NOT_FOUND = _missing("floating_ip", "FloatingIPNotFound", "Floating IP {id} could not be found.")
NOT_REACHABLE = _missing(
    "external_gateway",
    "ExternalGatewayForFloatingIPNotFound",
    "External network {network_id} is not reachable from subnet {subnet_id}. "
    "Therefore, cannot associate Port {port_id} with a Floating IP.",
)
FLOATING_TAKEN = Error(
    "network.floating_taken",
    409,
    "Cannot associate floating IP {floating_ip} with port {port_id} using fixed IP {ip}, "
    "as that fixed IP already has a floating IP on external network {network_id}.",
    name="FloatingIPPortAlreadyAssociated",
)
FORWARDING_NOT_FOUND = _missing("port_forwarding", "PortForwardingNotFound", "Port Forwarding {id} could not be found.")
FLOATING_HAS_FORWARDINGS = Error(
    "network.floating_has_forwardings",
    409,
    "Floating IP {id} used by Port Forwarding {forwarding_ids}.",
    name="FipInUseByPortForwarding",
)

# Address scopes, subnet pools, address groups, sharing, agents
SCOPE_NOT_FOUND = _missing("address_scope", "AddressScopeNotFound", "Address scope {id} could not be found.")
SCOPE_IN_USE = Error(
    "network.address_scope_in_use",
    409,
    "Unable to complete operation on address scope {id}. "
    "There are one or more subnet pools in use on the address scope.",
    name="AddressScopeInUse",
)
POOL_NOT_FOUND = _missing("subnet_pool", "SubnetPoolNotFound", "Subnet pool {id} could not be found.")
POOL_IN_USE = Error(
    "network.subnet_pool_in_use",
    409,
    "Unable to complete operation on subnet pool {id}. {reason}.",
    name="SubnetPoolInUse",
)
POOL_EXHAUSTED = Error(
    "network.subnet_pool_exhausted", 409, "Failed to allocate subnet: {reason}.", name="SubnetAllocationError"
)
POOL_QUOTA = Error(
    "network.subnet_pool_quota", 409, "Per-tenant subnet pool prefix quota exceeded.", name="SubnetPoolQuotaExceeded"
)
POOL_TOO_SHORT = Error(
    "network.prefix_too_short",
    400,
    "Unable to allocate subnet with prefix length {length}, minimum allowed prefix is {limit}.",
    name="MinPrefixSubnetAllocationError",
)
POOL_TOO_LONG = Error(
    "network.prefix_too_long",
    400,
    "Unable to allocate subnet with prefix length {length}, maximum allowed prefix is {limit}.",
    name="MaxPrefixSubnetAllocationError",
)
ADDRESS_GROUP_NOT_FOUND = _missing("address_group", "AddressGroupNotFound", "Address group {id} could not be found.")
ADDRESS_GROUP_IN_USE = Error(
    "network.address_group_in_use",
    409,
    "Address group {id} is in use on one or more security group rules.",
    name="AddressGroupInUse",
)
ADDRESSES_MISSING = _missing("addresses", "AddressesNotFound", "Addresses {addresses} not found in address group {id}.")
ADDRESSES_PRESENT = Error(
    "network.addresses_present",
    409,
    "Addresses {addresses} already exist in address group {id}.",
    name="AddressesAlreadyExist",
)
RBAC_NOT_FOUND = _missing("rbac_policy", "RbacPolicyNotFound", "RBAC policy with ID {id} not found.")
RBAC_EXISTS = Error(
    "network.rbac_exists", 409, "An RBAC policy already exists with those values.", name="DuplicateRbacPolicy"
)
RBAC_IN_USE = Error(
    "network.rbac_in_use",
    409,
    "RBAC policy on object {id} cannot be removed because other objects depend on it. Details: {reason}",
    name="RbacPolicyInUse",
)
AGENT_NOT_FOUND = _missing("agent", "AgentNotFound", "Agent {id} could not be found.")

# Trunks, segments, topologies, templates
TRUNK_NOT_FOUND = _missing("trunk", "TrunkNotFound", "Trunk {id} could not be found.")
TRUNK_IN_USE = Error("network.trunk_in_use", 409, "Trunk {id} is currently in use.", name="TrunkInUse")
TRUNK_DISABLED = Error("network.trunk_disabled", 409, "Trunk {id} is currently disabled.", name="TrunkDisabled")
PARENT_IN_USE = Error(
    "network.parent_in_use",
    409,
    "Port {port_id} is currently in use and is not eligible for use as a parent port.",
    name="ParentPortInUse",
)
PORT_IS_PARENT = Error(
    "network.port_is_parent",
    409,
    "Port {port_id} is currently a parent port for trunk {id}.",
    name="PortInUseAsTrunkParent",
)
PORT_IS_SUBPORT = Error(
    "network.port_is_subport", 409, "Port {port_id} is currently a subport for trunk {id}.", name="PortInUseAsSubPort"
)
SUBPORT_NOT_FOUND = _missing(
    "subport", "SubPortNotFound", "SubPort on trunk {id} with parent port {port_id} could not be found."
)
SUBPORT_TWICE = Error(
    "network.subport_twice",
    409,
    "segmentation_type {kind} and segmentation_id {number} already in use on trunk {id}.",
    name="DuplicateSubPort",
)
SEGMENT_NOT_FOUND = _missing("segment", "SegmentNotFound", "Segment {id} could not be found.")
SEGMENT_IN_USE = Error(
    "network.segment_in_use",
    409,
    "Segment '{id}' cannot be deleted: network {network_id} is carried by it.",
    name="SegmentInUse",
)
ONE_SEGMENT = Error(
    "network.one_segment",
    400,
    "Invalid input for operation: network {network_id} has a segment, and networks of this cloud have one each.",
    name="InvalidInput",
)
NO_TOPOLOGY = Error(
    "network.no_topology",
    409,
    "Deployment error: {reason}.",
    "Mark an external network and a subnet pool as default.",
    "AutoAllocationFailure",
)
DEFAULT_RULE_NOT_FOUND = _missing(
    "default_rule", "DefaultSecurityGroupRuleNotFound", "Default Security Group rule {id} does not exist"
)
DEFAULT_RULE_EXISTS = Error(
    "network.default_rule_exists",
    409,
    "Default Security group rule already exists. Rule id is {id}.",
    name="DefaultSecurityGroupRuleExists",
)

METERING_LABEL_NOT_FOUND = _missing("metering_label", "MeteringLabelNotFound", "Metering label {id} does not exist.")
METERING_RULE_NOT_FOUND = _missing(
    "metering_rule", "MeteringLabelRuleNotFound", "Metering label rule {id} does not exist."
)
METERING_RULE_OVERLAPS = Error(
    "network.metering_rule_overlaps",
    409,
    "Metering label rule with remote_ip_prefix '{prefix}' overlaps another.",
    name="MeteringLabelRuleOverlaps",
)

# Quality of service
QOS_POLICY_NOT_FOUND = _missing("qos_policy", "QosPolicyNotFound", "QoS policy {id} could not be found.")
QOS_RULE_NOT_FOUND = _missing(
    "qos_rule", "QosRuleNotFound", "QoS rule of type {kind} with id {id} for policy {policy_id} could not be found."
)
QOS_TYPE_NOT_FOUND = _missing("qos_rule_type", "QosRuleTypeNotFound", "QoS rule type {id} could not be found.")
QOS_POLICY_IN_USE = Error(
    "network.qos_policy_in_use", 409, "QoS Policy {id} is used by {kind} {user}.", name="QosPolicyInUse"
)
QOS_DEFAULT_EXISTS = Error(
    "network.qos_default_exists",
    409,
    "A default QoS policy exists for project {project_id}.",
    name="QoSPolicyDefaultAlreadyExists",
)
QOS_RULES_CONFLICT = Error(
    "network.qos_rules_conflict",
    409,
    "Rule {rule} conflicts with rule {other} which already exists in QoS Policy {policy_id}.",
    name="QoSRulesConflict",
)
QOS_RULE_UNSUPPORTED = Error(
    "network.qos_rule_unsupported",
    409,
    "Rule {rule} is not supported by {kind} {id}",
    "No host guarantees anything; limits and marks are enforced.",
    "QosRuleNotSupported",
)

# What a launch asks for (Compute turns these into its own words)
NETWORK_AMBIGUOUS = Error(
    "network.ambiguous",
    409,
    "Multiple possible networks found, use a Network ID to be more specific.",
    name="NetworkAmbiguous",
)
NETWORK_WITHOUT_SUBNET = Error(
    "network.without_subnet",
    400,
    "Network {id} requires a subnet in order to boot instances on.",
    name="NetworkRequiresSubnet",
)
EXTERNAL_FORBIDDEN = Error(
    "network.external_forbidden",
    403,
    "It is not allowed to create an interface on external network {id}",
    name="ExternalNetworkAttachForbidden",
)
GROUP_AMBIGUOUS = Error(
    "network.security_group_ambiguous",
    400,
    "Multiple security groups found matching '{id}'. Use an ID to be more specific.",
    name="NoUniqueMatch",
)
AGENT_WRONG_ROLE = Error(
    "network.agent_wrong_role", 409, "Agent {id} is not a {role} or is disabled.", name="InvalidAgent"
)
NOT_HOSTED = Error(
    "network.not_hosted",
    409,
    "The {what} {id} is not hosted by the agent {agent_id}.",
    name="NetworkNotHostedByDhcpAgent",
)
ROUTER_HOSTED = Error(
    "network.router_hosted",
    409,
    "The router {id} has been already hosted by the L3 agent on {host}.",
    name="RouterHostedByL3Agent",
)
