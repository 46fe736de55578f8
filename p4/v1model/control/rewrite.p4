// Egress: each copy of a group packet gets its member's own address.
control Rewrite(inout headers_t hdr,
                inout metadata_t meta,
                inout standard_metadata_t standard_metadata) {

    action to_member(mac_addr_t mac, ipv4_addr_t ip, bit<16> port) {
        hdr.ethernet.dst_addr = mac;
        hdr.ipv4.dst_addr = ip;
        hdr.udp.dst_port = port;
    }

    action no_member() { meta.drop_reason = DROP_NO_MEMBER; }

    table rewrite {
        key = { standard_metadata.egress_rid: exact; }
        actions = { to_member; no_member; }
        default_action = no_member();
        size = MEMBER_ENTRIES;
    }

    apply { rewrite.apply(); }
}
