// What may go on. Runs before any register, so that a bad packet leaves no trace but its count.
control Admit(inout headers_t hdr,
              inout metadata_t meta,
              inout standard_metadata_t standard_metadata) {

    action fabric() { meta.from_fabric = 1; }
    action host()   { meta.from_fabric = 0; }

    // A port is taken for a host's unless the controller says that a switch is behind it.
    table port_role {
        key = { standard_metadata.ingress_port: exact; }
        actions = { host; fabric; }
        default_action = host();
        size = PORT_ENTRIES;
    }

    // A group's address range carries stamped datagrams and nothing else.
    action classify() {
        meta.to_group = (hdr.ipv4.dst_addr[31:16] == GROUP_PREFIX) ? (bit<1>) 1 : 0;
        meta.stamped = (hdr.stamp.isValid() && hdr.stamp.magic_version == STAMP_MAGIC_VERSION)
            ? (bit<1>) 1 : 0;
    }

    apply {
        port_role.apply();
        if (standard_metadata.parser_error != error.NoError) {
            meta.drop_reason = DROP_PARSER_ERROR;
        } else if (hdr.ipv4.isValid()) {
            if (hdr.ipv4.version != 4 || hdr.ipv4.ihl != 5) {
                meta.drop_reason = DROP_IP_HEADER;
            } else if (standard_metadata.checksum_error == 1) {
                meta.drop_reason = DROP_BAD_CHECKSUM;
            } else if (hdr.ipv4.ttl <= 1) {
                meta.drop_reason = DROP_TTL;
            } else {
                classify();
                if (meta.to_group == 1 && !hdr.udp.isValid()
                        && (hdr.ipv4.more_fragments == 1 || hdr.ipv4.fragment_offset != 0)) {
                    meta.drop_reason = DROP_FRAGMENT;
                } else if (meta.to_group == 1 && meta.stamped == 0) {
                    meta.drop_reason = DROP_NOT_STAMPED;
                } else if (meta.stamped == 1 && hdr.udp.length < STAMP_UDP_LENGTH) {
                    meta.drop_reason = DROP_SHORT_STAMP;
                }
            }
        } else if (!hdr.arp.isValid()) {
            if (hdr.ethernet.ether_type == ETHER_TYPE_IPV6) {
                meta.drop_reason = DROP_IPV6;
            } else {
                meta.drop_reason = DROP_ETHER_TYPE;
            }
        }
    }
}
