// Headers and metadata. `stamp_h` is 44 bytes; its table is in docs/wire-format.md.
#ifndef HEADERS_P4
#define HEADERS_P4

#include "types.p4"

header ethernet_h {
    mac_addr_t dst_addr;
    mac_addr_t src_addr;
    bit<16>    ether_type;
}

header arp_h {
    bit<16>     hardware_type;
    bit<16>     protocol_type;
    bit<8>      hardware_length;
    bit<8>      protocol_length;
    bit<16>     operation;
    mac_addr_t  sender_mac;
    ipv4_addr_t sender_ip;
    mac_addr_t  target_mac;
    ipv4_addr_t target_ip;
}

header ipv4_h {
    bit<4>      version;
    bit<4>      ihl;
    bit<8>      diffserv;
    bit<16>     total_length;
    bit<16>     identification;
    bit<1>      reserved_flag;
    bit<1>      dont_fragment;
    bit<1>      more_fragments;
    bit<13>     fragment_offset;
    bit<8>      ttl;
    bit<8>      protocol;
    bit<16>     header_checksum;
    ipv4_addr_t src_addr;
    ipv4_addr_t dst_addr;
}

header udp_h {
    bit<16> src_port;
    bit<16> dst_port;
    bit<16> length;
    bit<16> checksum;
}

header stamp_h {
    bit<16>    magic_version;
    bit<8>     kind;
    bit<8>     member;
    bit<32>    group;
    epoch_t    epoch;
    sequence_t sequence;
    round_t    round;
    round_t    closed_round;
    members_t  closed_members;
    bit<8>     round_shift;
    bit<24>    reserved;
}

struct headers_t {
    ethernet_h ethernet;
    arp_h      arp;
    ipv4_h     ipv4;
    udp_h      udp;
    stamp_h    stamp;
}

struct metadata_t {
    drop_reason_t drop_reason;
    bit<1>        to_group;      // destination in 239.77/16
    bit<1>        stamped;       // carries a stamp header of this version
    bit<1>        replicated;    // stamped here: copies go out by the multicast group
    bit<1>        from_fabric;   // entered on a port that leads to another switch
}

#endif
