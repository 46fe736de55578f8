// Ordinary IPv4 forwarding by longest prefix: unicast, and group packets on switches that are not
// the group's root.
control Forward(inout headers_t hdr,
                inout metadata_t meta,
                inout standard_metadata_t standard_metadata) {

    action to_port(bit<9> port, mac_addr_t next_hop) {
        standard_metadata.egress_spec = port;
        hdr.ethernet.dst_addr = next_hop;
        hdr.ipv4.ttl = hdr.ipv4.ttl - 1;
    }

    action no_route() { meta.drop_reason = DROP_NO_ROUTE; }

    table forward {
        key = { hdr.ipv4.dst_addr: lpm; }
        actions = { to_port; no_route; }
        default_action = no_route();
        size = FORWARD_ENTRIES;
    }

    apply { forward.apply(); }
}
