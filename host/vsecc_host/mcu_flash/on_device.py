"""Programs for the prompt of a device: what every later one may use, and the restart."""

# Runs once after the break-in. The watchdog brings a device back whose tool or cable has gone.
HELPERS = """
import gc, hashlib, os, sys
_cause = getattr(sys.modules.get('mcu.crash'), 'last_cause', None)
for _name in list(sys.modules):
 if _name.split('.')[0] in ('mcu', 'vsecc_link'):
  del sys.modules[_name]
main = None
gc.enable()
gc.collect()
class _Nothing:
 def feed(self): pass
try:
 import machine
 _wd = machine.WDT(timeout=%d)
except (ImportError, AttributeError):
 _wd = _Nothing()
def _walk(folder, name=''):
 for entry in os.ilistdir(folder):
  path = folder + '/' + entry[0]
  if entry[1] & 0x4000:
   for found in _walk(path, name + entry[0] + '/'):
    yield found
  else:
   yield name + entry[0], path
def _sha(path):
 h = hashlib.sha256()
 buf = bytearray(512)
 with open(path, 'rb') as f:
  while True:
   n = f.readinto(buf)
   if not n:
    return h.digest()
   h.update(buf if n == 512 else memoryview(buf)[:n])
def _hashes(folder):
 try:
  os.stat(folder)
 except OSError:
  return {}
 found = {}
 for name, path in _walk(folder):
  _wd.feed()
  found[name] = _sha(path)
 return found
def _total(folder):
 total = hashlib.sha256()
 buf = bytearray(512)
 try:
  names = sorted(n for n, _ in _walk(folder) if '/' in n)
 except OSError:
  names = []
 for name in names:
  _wd.feed()
  path = folder + '/' + name
  total.update(b'%%d:' %% len(name) + name.encode() + b'%%d:' %% os.stat(path)[6])
  with open(path, 'rb') as f:
   while True:
    n = f.readinto(buf)
    if not n:
     break
    total.update(buf if n == 512 else memoryview(buf)[:n])
 return total.digest().hex()
def _copy(source, target):
 buf = bytearray(512)
 with open(source, 'rb') as f:
  with open(target, 'wb') as g:
   while True:
    n = f.readinto(buf)
    if not n:
     break
    g.write(buf if n == 512 else memoryview(buf)[:n])
"""

# boot.py's own way notes that the reset was wanted; a device without it restarts all the same.
RESTART = """
import machine, time
time.sleep_ms(50)
try:
 restart()
except NameError:
 machine.reset()
"""
