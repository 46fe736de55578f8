// The root's own work: one term, one sequence, one round for each packet of a group.
//
// Each register is read once and written once per packet, in the order below, so that the same
// program fits a pipeline that allows one stateful access per register. The control plane never
// touches them: the term comes with the `group` entry, and a greater term than the one in the
// register starts the group's registers anew.
control Stamp(inout headers_t hdr,
              inout metadata_t meta,
              inout standard_metadata_t standard_metadata) {

    register<epoch_t>(GROUP_COUNT)    term_of_group;
    register<bit<48>>(GROUP_COUNT)    start_of_term;
    register<sequence_t>(GROUP_COUNT) sequence_of_group;
    register<round_t>(GROUP_COUNT)    current_round;
    register<members_t>(GROUP_COUNT)  heard_members;
    register<round_t>(GROUP_COUNT)    closed_round;
    register<members_t>(GROUP_COUNT)  closed_members;

    group_index_t index = 0;
    epoch_t       term = 0;
    bit<8>        round_shift = 0;
    round_t       round_base = 0;
    bit<16>       multicast_group = 0;

    action stamp_group(group_index_t register_index, bit<32> group_id, epoch_t new_term,
                       bit<8> shift, round_t base, bit<8> member_count, bit<16> copies) {
        index = register_index;
        term = new_term;
        round_shift = shift;
        round_base = base;
        multicast_group = copies;
        meta.drop_reason = (hdr.stamp.group != group_id) ? DROP_WRONG_GROUP
            : ((hdr.stamp.member != NOT_A_MEMBER && hdr.stamp.member >= member_count)
                ? DROP_WRONG_MEMBER : DROP_NONE);
    }

    table group {
        key = { hdr.ipv4.dst_addr: exact; }
        actions = { stamp_group; NoAction; }
        default_action = NoAction();
        size = GROUP_COUNT;
    }

    // The registers, in order. `fresh` is true when the entry's term begins with this packet.
    action advance(bool fresh) {
        bit<48> now = standard_metadata.ingress_global_timestamp;
        bit<48> start;
        start_of_term.read(start, index);
        start = fresh ? now : start;
        start_of_term.write(index, start);

        sequence_t sequence;
        sequence_of_group.read(sequence, index);
        sequence = fresh ? 1 : sequence + 1;
        sequence_of_group.write(index, sequence);

        round_t last_round;
        current_round.read(last_round, index);
        last_round = fresh ? round_base : last_round;
        round_t round = round_base + (((round_t) (now - start)) >> round_shift);
        round = (round > last_round) ? round : last_round;
        current_round.write(index, round);
        bool closes = round > last_round;

        members_t sender = (hdr.stamp.member == NOT_A_MEMBER)
            ? (members_t) 0 : ((members_t) 1) << hdr.stamp.member;
        members_t heard_before;
        heard_members.read(heard_before, index);
        members_t heard = (fresh || closes) ? sender : (heard_before | sender);
        heard_members.write(index, heard);

        round_t closed;
        closed_round.read(closed, index);
        closed = fresh ? 0 : (closes ? last_round : closed);
        closed_round.write(index, closed);

        members_t closed_heard;
        closed_members.read(closed_heard, index);
        closed_heard = fresh ? 0 : (closes ? heard_before : closed_heard);
        closed_members.write(index, closed_heard);

        hdr.stamp.epoch = term;
        hdr.stamp.sequence = sequence;
        hdr.stamp.round = round;
        hdr.stamp.closed_round = closed;
        hdr.stamp.closed_members = closed_heard;
        hdr.stamp.round_shift = round_shift;
        hdr.stamp.reserved = 0;
        hdr.udp.checksum = 0;
    }

    apply {
        if (group.apply().hit && meta.drop_reason == DROP_NONE) {
            epoch_t known;
            term_of_group.read(known, index);
            if (term < known) {
                meta.drop_reason = DROP_STALE_TERM;
            } else {
                term_of_group.write(index, term);
                advance(term > known);
                standard_metadata.mcast_grp = multicast_group;
                hdr.ipv4.ttl = hdr.ipv4.ttl - 1;
                meta.replicated = 1;
            }
        }
    }
}
