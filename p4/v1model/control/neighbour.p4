// Answers ARP requests for the hosts that the controller has announced, so that hosts need no
// static neighbours and no ARP packet ever crosses the fabric.
control Neighbour(inout headers_t hdr,
                  inout metadata_t meta,
                  inout standard_metadata_t standard_metadata) {

    action answer(mac_addr_t mac) {
        hdr.ethernet.dst_addr = hdr.arp.sender_mac;
        hdr.ethernet.src_addr = mac;
        hdr.arp.operation = ARP_REPLY;
        hdr.arp.target_mac = hdr.arp.sender_mac;
        hdr.arp.sender_mac = mac;
        ipv4_addr_t asked = hdr.arp.target_ip;
        hdr.arp.target_ip = hdr.arp.sender_ip;
        hdr.arp.sender_ip = asked;
        standard_metadata.egress_spec = standard_metadata.ingress_port;
    }

    action unknown() { meta.drop_reason = DROP_ARP; }

    table neighbour {
        key = { hdr.arp.target_ip: exact; }
        actions = { answer; unknown; }
        default_action = unknown();
        size = NEIGHBOUR_ENTRIES;
    }

    apply {
        if (hdr.arp.operation == ARP_REQUEST && hdr.arp.protocol_type == ETHER_TYPE_IPV4) {
            neighbour.apply();
        } else {
            unknown();
        }
    }
}
