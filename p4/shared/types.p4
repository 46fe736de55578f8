// Field types and constants: the same names as in the crate `wire`.
#ifndef TYPES_P4
#define TYPES_P4

typedef bit<48> mac_addr_t;
typedef bit<32> ipv4_addr_t;
typedef bit<32> epoch_t;
typedef bit<64> sequence_t;
typedef bit<64> round_t;
typedef bit<32> members_t;      // bit i: member i
typedef bit<32> group_index_t;  // where a group's registers are

const bit<16> ETHER_TYPE_IPV4 = 0x0800;
const bit<16> ETHER_TYPE_ARP  = 0x0806;
const bit<16> ETHER_TYPE_IPV6 = 0x86DD;
const bit<8>  IP_PROTOCOL_UDP = 17;
const bit<16> ARP_REQUEST     = 1;
const bit<16> ARP_REPLY       = 2;

const bit<16> STAMP_PORT          = 9770;    // UDP destination port under which a stamp is looked for
const bit<16> STAMP_MAGIC_VERSION = 0xDB01;  // "downbeat", version 1
const bit<16> STAMP_UDP_LENGTH    = 52;      // UDP header and stamp: the shortest stamped datagram
const bit<8>  NOT_A_MEMBER        = 255;
const bit<16> GROUP_PREFIX        = 0xEF4D;  // 239.77/16

// Why a packet was dropped: the index of its counter in `drops`. 0 means "not dropped".
typedef bit<8> drop_reason_t;
const drop_reason_t DROP_NONE             = 0;
const drop_reason_t DROP_PARSER_ERROR     = 1;   // shorter than its headers say
const drop_reason_t DROP_BAD_CHECKSUM     = 2;   // IPv4 header checksum
const drop_reason_t DROP_TTL              = 3;   // TTL 0 or 1
const drop_reason_t DROP_NOT_STAMPED      = 4;   // to a group, without a stamp of this version
const drop_reason_t DROP_WRONG_GROUP      = 5;   // the stamp names another group than the address
const drop_reason_t DROP_WRONG_MEMBER     = 6;   // a member index that the group does not have
const drop_reason_t DROP_STALE_TERM       = 7;   // the entry's term is older than the registers'
const drop_reason_t DROP_NO_ROUTE         = 8;   // no `forward` entry
const drop_reason_t DROP_IPV6             = 9;   // not supported yet
const drop_reason_t DROP_ETHER_TYPE       = 10;  // neither IPv4, ARP nor IPv6
const drop_reason_t DROP_IP_HEADER        = 11;  // not version 4, or with options
const drop_reason_t DROP_FRAGMENT         = 12;  // an IPv4 fragment to a group
const drop_reason_t DROP_ARP              = 13;  // not a request for a known neighbour
const drop_reason_t DROP_NO_MEMBER        = 14;  // a copy whose replication id has no `rewrite` entry
const drop_reason_t DROP_SHORT_STAMP      = 15;  // UDP length leaves no room for the stamp

#endif
