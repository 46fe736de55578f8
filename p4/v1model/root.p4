// Root switch: stamps the packets of replica groups with epoch, sequence and round and copies
// them to the members; forwards everything else. Also right for a switch that is nobody's root.
#include <core.p4>
#include <v1model.p4>

#include "../shared/sizes.p4"
#include "../shared/types.p4"
#include "../shared/headers.p4"
#include "parser.p4"
#include "checksum.p4"
#include "control/admit.p4"      // parser errors, checksum, TTL; is the sender a host or a switch
#include "control/neighbour.p4"  // ARP answers
#include "control/stamp.p4"      // group address → term, sequence, round, copies
#include "control/unstamp.p4"    // hosts cannot forge stamps
#include "control/forward.p4"    // longest prefix
#include "control/rewrite.p4"    // egress: each copy's own destination

control RootIngress(inout headers_t hdr,
                    inout metadata_t meta,
                    inout standard_metadata_t standard_metadata) {
    counter(DROP_REASONS, CounterType.packets) drops;
    Admit() admit;
    Neighbour() neighbour;
    Stamp() stamp;
    Unstamp() unstamp;
    Forward() forward;

    apply {
        admit.apply(hdr, meta, standard_metadata);
        if (meta.drop_reason == DROP_NONE) {
            if (hdr.arp.isValid()) {
                neighbour.apply(hdr, meta, standard_metadata);
            } else {
                if (meta.to_group == 1) { stamp.apply(hdr, meta, standard_metadata); }
                if (meta.drop_reason == DROP_NONE && meta.replicated == 0) {
                    unstamp.apply(hdr, meta);
                    forward.apply(hdr, meta, standard_metadata);
                }
            }
        }
        if (meta.drop_reason != DROP_NONE) {
            drops.count((bit<32>) meta.drop_reason);
            mark_to_drop(standard_metadata);
        }
    }
}

control RootEgress(inout headers_t hdr,
                   inout metadata_t meta,
                   inout standard_metadata_t standard_metadata) {
    counter(DROP_REASONS, CounterType.packets) drops;
    Rewrite() rewrite;

    apply {
        if (meta.replicated == 1) { rewrite.apply(hdr, meta, standard_metadata); }
        if (meta.drop_reason != DROP_NONE) {
            drops.count((bit<32>) meta.drop_reason);
            mark_to_drop(standard_metadata);
        }
    }
}

control RootDeparser(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr.ethernet);
        packet.emit(hdr.arp);
        packet.emit(hdr.ipv4);
        packet.emit(hdr.udp);
        packet.emit(hdr.stamp);
    }
}

V1Switch(RootParser(), VerifyIpv4(), RootIngress(), RootEgress(), UpdateIpv4(),
         RootDeparser()) main;
