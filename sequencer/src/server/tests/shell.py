"""Drives the server with p4runtime-shell, the public client. Run by tests/shell.rs.

Arguments: address, P4Info, JSON. Exits with 0 if everything answered as the specification says.
"""

import sys

import p4runtime_sh.shell as sh

address, info, config = sys.argv[1:4]

sh.setup(
    device_id=9,
    grpc_addr=address,
    election_id=(0, 5),
    config=sh.FwdPipeConfig(info, config),
)

entry = sh.TableEntry("KindsIngress.by_value")(action="to_port")
entry.match["hdr.ethernet.dst_addr"] = "00:00:00:00:0a:0b"
entry.action["port"] = "3"
entry.action["wide"] = "5"
entry.insert()
try:
    entry.insert()
    sys.exit("a second insertion was made")
except Exception as error:  # the shell wraps p4.v1.Error
    assert "ALREADY_EXISTS" in str(error), error

masked = sh.TableEntry("KindsIngress.by_mask")(action="drop")
masked.match["hdr.ethernet.dst_addr"] = "01:00:00:00:00:00&&&ff:00:00:00:00:00"
masked.match["standard_metadata.ingress_port"] = "5"
masked.match["ether_type"] = "0x600..0x800"
masked.priority = 7
masked.insert()

read = [found.msg() for found in sh.TableEntry("KindsIngress.by_value").read()]
assert read == [entry.msg()], read
read = [found.msg() for found in sh.TableEntry("KindsIngress.by_mask").read()]
assert read == [masked.msg()], read

entry.action["port"] = "4"
entry.modify()
entry.delete()
assert list(sh.TableEntry("KindsIngress.by_value").read()) == []

default = sh.TableEntry("KindsIngress.by_prefix")(action="drop", is_default=True)
default.modify()

group = sh.MulticastGroupEntry(3)
group.add(1, 1)
group.add(2, 2)
group.insert()
read = [found.msg() for found in sh.MulticastGroupEntry().read()]
assert read == [group.msg()], read
group.delete()

counter = sh.CounterEntry("KindsIngress.seen")
counter.index = 2
counter.packet_count = 4
counter.byte_count = 400
counter.modify()
counter = sh.CounterEntry("KindsIngress.seen")
counter.index = 2
found = list(counter.read())
assert (found[0].packet_count, found[0].byte_count) == (4, 400), found

sh.teardown()
