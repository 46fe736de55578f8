// A host cannot forge a stamp: on a packet that enters from a host and is not for a group that
// this switch stamps, the epoch becomes 0, "not stamped".
control Unstamp(inout headers_t hdr, inout metadata_t meta) {
    apply {
        if (meta.stamped == 1 && meta.from_fabric == 0 && hdr.stamp.epoch != 0) {
            hdr.stamp.epoch = 0;
            hdr.udp.checksum = 0;
        }
    }
}
