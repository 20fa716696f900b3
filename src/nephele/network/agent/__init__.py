"""The agent that makes a host's kernel look as `HostWiring` says, and its simulated peer.

    wiring  --plan-->  spaces, DHCP services, doors  --converge-->  links, rules, processes

`agent` runs the loop; `plan` turns the wanted state into namespaces (`spaces`), `filter` and `nat` into nftables
rules, `dnsmasq` into DHCP settings, all of them without touching anything; `converge`, `nft` and `dhcp` compare
that with what is there and apply the difference; `metadata` answers guests.  Everything it makes carries a
name of ours (`names`); what doesn't is left alone.
"""
