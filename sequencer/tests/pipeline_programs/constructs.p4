// What the root program does not use and the pipeline implements all the same: wide arithmetic,
// every kind of match, hashes, direct counters, lookahead, advance, verify, exit.
// Compiled with: p4c-bm2-ss --std p4-16 -o constructs.json constructs.p4
#include <core.p4>
#include <v1model.p4>

error { BadKind, Unwanted }

header kind_h {
    bit<8> kind;
    bit<8> skip;       // bytes to skip behind this header, in bits
}

header numbers_h {
    bit<128> a;
    bit<128> b;
    bit<4>   unaligned;
    bit<60>  c;
    bit<64>  d;
    bit<13>  e;
    bit<3>   f;
    bit<8>   amount;
}

header results_h {
    bit<128> sum;
    bit<128> difference;
    bit<128> product;
    bit<128> left;
    bit<128> right;
    bit<60>  narrow_sum;
    bit<4>   flags;
    bit<64>  saturated_sum;
    bit<64>  saturated_difference;
    bit<16>  slice;
    bit<64>  chosen;
    bit<128> stored;
}

header hashes_h {
    bit<16> sixteen;
    bit<32> thirty_two;
    bit<16> internet;
    bit<64> same;
    bit<32> ranged;
}

header key_h {
    bit<16> exact16;
    bit<32> prefix32;
    bit<128> wide;
    bit<16> range16;
    bit<8>  optional8;
    bit<8>  ternary8;
}

header found_h { bit<8> by_prefix; bit<8> by_priority; bit<8> by_wide; bit<8> by_constant; }

struct headers_t {
    kind_h kind; numbers_h numbers; key_h key;
    results_h results; hashes_h hashes; found_h found;
}
struct metadata_t { bit<100> between; bit<9> port; bit<8> note; }

parser P(packet_in packet, out headers_t hdr, inout metadata_t meta,
         inout standard_metadata_t standard) {
    state start {
        meta.note = packet.lookahead<bit<8>>();
        transition select(packet.lookahead<bit<12>>()) {
            0xEEE: refuse;
            default: kind;
        }
    }
    state refuse { verify(false, error.Unwanted); transition accept; }
    state kind {
        packet.extract(hdr.kind);
        verify(hdr.kind.kind != 0, error.BadKind);
        packet.advance((bit<32>) hdr.kind.skip);
        transition select(hdr.kind.kind, packet.lookahead<bit<4>>()) {
            (1, _): numbers;
            (2, 0x0 &&& 0x8): key;
            (3, _): accept;
            (4, _): accept;
        }
    }
    state numbers { packet.extract(hdr.numbers); transition accept; }
    state key { packet.extract(hdr.key); transition accept; }
}

control Check(inout headers_t hdr, inout metadata_t meta) { apply {} }

control In(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    register<bit<128>>(4) wide_cells;
    direct_counter(CounterType.packets_and_bytes) prefix_hits;

    action compute() {
        hdr.results.setValid();
        hdr.results.sum = hdr.numbers.a + hdr.numbers.b;
        hdr.results.difference = hdr.numbers.a - hdr.numbers.b;
        hdr.results.product = hdr.numbers.a * hdr.numbers.b;
        hdr.results.left = hdr.numbers.a << hdr.numbers.amount;
        hdr.results.right = hdr.numbers.a >> hdr.numbers.amount;
        hdr.results.narrow_sum = hdr.numbers.c + (bit<60>) hdr.numbers.e;
        hdr.results.flags = ((hdr.numbers.a < hdr.numbers.b) ? 4w8 : 0)
            | ((hdr.numbers.a == hdr.numbers.b) ? 4w4 : 0)
            | ((hdr.numbers.d - 1 > hdr.numbers.d) ? 4w2 : 0)
            | ((bit<4>) hdr.numbers.f & 1);
        hdr.results.saturated_sum = hdr.numbers.d |+| (bit<64>) hdr.numbers.c;
        hdr.results.saturated_difference = hdr.numbers.d |-| (bit<64>) hdr.numbers.c;
        hdr.results.slice = hdr.numbers.a[100:85];
        meta.between = hdr.numbers.a[99:0];
        hdr.results.chosen = (hdr.numbers.f == 5 || !(hdr.numbers.e < 4096)) ? hdr.numbers.d
            : (bit<64>) meta.between[99:90];
        bit<128> old;
        wide_cells.read(old, (bit<32>) hdr.numbers.f);
        hdr.results.stored = old;
        wide_cells.write((bit<32>) hdr.numbers.f, ~hdr.numbers.a);
        // The low bits of something wider, into metadata.
        meta.note = (bit<8>) (hdr.numbers.a >> 3);
        hdr.numbers.amount = meta.note;
    }

    action hashes() {
        hdr.hashes.setValid();
        hash(hdr.hashes.sixteen, HashAlgorithm.crc16, 16w0,
             { hdr.kind.kind, hdr.kind.skip, 16w0x1234 }, 32w0x10000);
        hash(hdr.hashes.thirty_two, HashAlgorithm.crc32, 32w0,
             { hdr.kind.kind, hdr.kind.skip, 16w0x1234 }, 64w0x100000000);
        hash(hdr.hashes.internet, HashAlgorithm.csum16, 16w0,
             { hdr.kind.kind, hdr.kind.skip, 4w0xA }, 32w0x10000);
        hash(hdr.hashes.same, HashAlgorithm.identity, 64w0,
             { hdr.kind.kind, hdr.kind.skip, 48w0x123456789ABC }, 64w0xFFFFFFFFFFFFFFFF);
        hash(hdr.hashes.ranged, HashAlgorithm.identity, 32w100, { hdr.kind.skip }, 32w7);
    }

    action prefix(bit<8> value) { hdr.found.by_prefix = value; prefix_hits.count(); }
    action priority(bit<8> value) { hdr.found.by_priority = value; }
    action wide(bit<100> long, bit<8> value) {
        meta.between = long;
        hdr.found.by_wide = value;
    }
    action constant(bit<8> value) { hdr.found.by_constant = value; }

    table by_prefix {
        key = { hdr.key.exact16: exact; hdr.key.prefix32: lpm; }
        actions = { prefix; NoAction; }
        counters = prefix_hits;
        size = 4;
    }
    table by_priority {
        key = { hdr.key.range16: range; hdr.key.optional8: optional; hdr.key.ternary8: ternary; }
        actions = { priority; NoAction; }
        size = 16;
    }
    table by_wide {
        key = { hdr.key.wide: lpm; }
        actions = { wide; NoAction; }
        size = 16;
    }
    table by_constant {
        key = { hdr.key.ternary8: ternary; }
        actions = { constant; NoAction; }
        const entries = {
            0x0F &&& 0x0F: constant(1);
            0x80 &&& 0x80: constant(2);
            _:             constant(3);
        }
    }

    apply {
        standard.egress_spec = 1;
        if (standard.parser_error == error.BadKind) { mark_to_drop(standard); exit; }
        if (standard.parser_error != error.NoError) {
            standard.egress_spec = 9;
            hdr.kind.setValid();
            if (standard.parser_error == error.PacketTooShort) { hdr.kind.kind = 1; }
            else if (standard.parser_error == error.NoMatch) { hdr.kind.kind = 2; }
            else if (standard.parser_error == error.Unwanted) { hdr.kind.kind = 3; }
            else if (standard.parser_error == error.ParserInvalidArgument) { hdr.kind.kind = 5; }
            hdr.kind.skip = meta.note;
        } else if (hdr.numbers.isValid()) {
            compute();
        } else if (hdr.key.isValid()) {
            hdr.found.setValid();
            switch (by_prefix.apply().action_run) {
                prefix: { hdr.found.by_prefix = hdr.found.by_prefix + 100; }
                default: { hdr.found.by_prefix = 255; }
            }
            if (!by_priority.apply().hit) { hdr.found.by_priority = 255; }
            if (by_wide.apply().hit) { hdr.found.by_wide = hdr.found.by_wide + (bit<8>) meta.between[99:92]; }
            by_constant.apply();
        } else if (hdr.kind.kind == 3) {
            hashes();
        }
    }
}

control Out(inout headers_t hdr, inout metadata_t meta, inout standard_metadata_t standard) {
    apply { if (hdr.kind.kind == 4) { mark_to_drop(standard); } }
}

control Fix(inout headers_t hdr, inout metadata_t meta) { apply {} }

control Emit(packet_out packet, in headers_t hdr) {
    apply {
        packet.emit(hdr.kind);
        packet.emit(hdr.numbers);
        packet.emit(hdr.key);
        packet.emit(hdr.results);
        packet.emit(hdr.hashes);
        packet.emit(hdr.found);
    }
}

V1Switch(P(), Check(), In(), Out(), Fix(), Emit()) main;
