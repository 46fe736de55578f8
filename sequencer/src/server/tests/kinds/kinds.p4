// A program with one table of every sort that the P4Runtime server tells apart.
// kinds.json and kinds.p4info.txtpb are made from it by
//   p4c-bm2-ss --p4runtime-files kinds.p4info.txtpb -o kinds.json kinds.p4
#include <core.p4>
#include <v1model.p4>

header ethernet_h {
    bit<48> dst_addr;
    bit<48> src_addr;
    bit<16> ether_type;
}

struct headers_t {
    ethernet_h ethernet;
}

struct metadata_t {
    bit<16> mark;
    bit<128> wide;
}

parser KindsParser(packet_in packet, out headers_t hdr, inout metadata_t meta,
                   inout standard_metadata_t standard_metadata) {
    state start {
        packet.extract(hdr.ethernet);
        transition accept;
    }
}

control KindsVerify(inout headers_t hdr, inout metadata_t meta) {
    apply {}
}

control KindsIngress(inout headers_t hdr, inout metadata_t meta,
                     inout standard_metadata_t standard_metadata) {
    direct_counter(CounterType.packets_and_bytes) hits;
    counter(4, CounterType.packets_and_bytes) seen;
    register<bit<12>>(8) narrow;
    register<bit<128>>(2) broad;

    action to_port(bit<9> port, bit<128> wide) {
        standard_metadata.egress_spec = port;
        meta.wide = wide;
    }
    action drop() {
        mark_to_drop(standard_metadata);
    }
    action mark(bit<16> value) {
        meta.mark = value;
    }
    action multicast(bit<16> group) {
        standard_metadata.mcast_grp = group;
    }

    table by_mask {
        key = {
            hdr.ethernet.dst_addr: ternary;
            standard_metadata.ingress_port: exact;
            hdr.ethernet.ether_type: range @name("ether_type");
            hdr.ethernet.src_addr: optional;
        }
        actions = { to_port; drop; @tableonly mark; @defaultonly NoAction; }
        default_action = NoAction();
        size = 4;
    }
    table by_value {
        key = { hdr.ethernet.dst_addr: exact; }
        actions = { to_port; multicast; drop; }
        const default_action = drop();
        counters = hits;
        size = 2;
    }
    table by_prefix {
        key = { hdr.ethernet.dst_addr: lpm; }
        actions = { to_port; drop; NoAction; }
        default_action = to_port(1, 2);
    }
    table fixed {
        key = { hdr.ethernet.ether_type: exact; }
        actions = { mark; NoAction; }
        const entries = {
            0x0800: mark(4);
            0x86dd: mark(6);
        }
    }
    table without_key {
        actions = { mark; NoAction; }
    }

    apply {
        seen.count(0);
        bit<12> value;
        narrow.read(value, 0);
        narrow.write(0, value + 1);
        broad.write(0, meta.wide);
        fixed.apply();
        without_key.apply();
        by_mask.apply();
        if (!by_value.apply().hit) {
            by_prefix.apply();
        }
    }
}

control KindsEgress(inout headers_t hdr, inout metadata_t meta,
                    inout standard_metadata_t standard_metadata) {
    apply {}
}

control KindsChecksum(inout headers_t hdr, inout metadata_t meta) {
    apply {}
}

control KindsDeparser(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr.ethernet);
    }
}

V1Switch(KindsParser(), KindsVerify(), KindsIngress(), KindsEgress(), KindsChecksum(),
         KindsDeparser()) main;
