// Capacities. The only place where a size is a number.
#ifndef SIZES_P4
#define SIZES_P4

const bit<32> GROUP_COUNT      = 1024;   // replica groups one switch can stamp for
const bit<32> MEMBER_ENTRIES   = 8192;   // replicas of all groups together
const bit<32> FORWARD_ENTRIES  = 4096;   // IPv4 prefixes
const bit<32> NEIGHBOUR_ENTRIES = 4096;  // hosts that the switch answers ARP for
const bit<32> PORT_ENTRIES     = 512;
const bit<32> DROP_REASONS     = 32;     // see DROP_* in types.p4

#endif
