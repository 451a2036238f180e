"""Hashes of the weights of a dense checkpoint folder in binary32, tensor by tensor: python3 numbers.py FOLDER > numbers.json"""
import hashlib
import json
import struct
import sys

file = open(sys.argv[1] + "/model.safetensors", "rb").read()
data = 8 + struct.unpack("<Q", file[:8])[0]
header = json.loads(file[8:data])
hashes = {}
for name, tensor in sorted(header.items()):
    if name == "__metadata__" or len(tensor["shape"]) != 2:
        continue
    assert tensor["dtype"] == "F32", name
    begin, end = tensor["data_offsets"]
    hashes[name.removesuffix(".weight")] = hashlib.sha256(file[data + begin:data + end]).hexdigest()
print(json.dumps(hashes, indent=2))
