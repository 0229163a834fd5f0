"""The numbers of system calls on x86-64 and on 64-bit Arm. Newer calls have the same number everywhere."""

from __future__ import annotations

import platform

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""The numbers by which a filter recognizes the architecture."""

# Name, number on x86-64, number on 64-bit Arm; -1 where there is no such call.
_TABLE = """
accept 43 202
accept4 288 242
acct 163 89
add_key 248 217
adjtimex 159 171
bind 49 200
bpf 321 280
capset 126 91
chdir 80 49
chmod 90 -1
chown 92 -1
chroot 161 51
clock_adjtime 305 266
clock_settime 227 112
clone 56 220
connect 42 203
creat 85 -1
delete_module 176 106
execve 59 221
execveat 322 281
fanotify_init 300 262
fchdir 81 50
fchmod 91 52
fchmodat 268 53
fchown 93 55
fchownat 260 54
fcntl 72 25
finit_module 313 273
fork 57 -1
fsetxattr 190 7
init_module 175 105
inotify_init 253 -1
inotify_init1 294 26
io_setup 206 0
ioctl 16 29
ioperm 173 -1
iopl 172 -1
ioprio_set 251 30
kcmp 312 272
kexec_file_load 320 294
kexec_load 246 104
keyctl 250 219
kill 62 129
lchown 94 -1
link 86 -1
linkat 265 37
listen 50 201
lsetxattr 189 6
memfd_create 319 279
migrate_pages 256 238
mkdir 83 -1
mkdirat 258 34
mknod 133 -1
mknodat 259 33
mmap 9 222
modify_ldt 154 -1
mount 165 40
move_pages 279 239
mq_open 240 180
msgget 68 186
name_to_handle_at 303 264
open 2 -1
open_by_handle_at 304 265
openat 257 56
perf_event_open 298 241
personality 135 92
pivot_root 155 41
prctl 157 167
prlimit64 302 261
process_vm_readv 310 270
process_vm_writev 311 271
ptrace 101 117
quotactl 179 60
readlink 89 -1
readlinkat 267 78
reboot 169 142
recvmmsg 299 243
recvmsg 47 212
rename 82 -1
renameat 264 38
renameat2 316 276
request_key 249 218
rmdir 84 -1
rt_sigqueueinfo 129 138
rt_tgsigqueueinfo 297 240
sched_setaffinity 203 122
sched_setattr 314 274
sched_setparam 142 118
sched_setscheduler 144 119
seccomp 317 277
semget 64 190
sendmmsg 307 269
sendmsg 46 211
setdomainname 171 162
setgid 106 144
setgroups 116 159
sethostname 170 161
setns 308 268
setpgid 109 154
setpriority 141 140
setregid 114 143
setresgid 119 149
setresuid 117 147
setreuid 113 145
setrlimit 160 164
setsid 112 157
settimeofday 164 170
setuid 105 146
setxattr 188 5
shmget 29 194
socket 41 198
socketpair 53 199
swapoff 168 225
swapon 167 224
symlink 88 -1
syslog 103 116
symlinkat 266 36
tgkill 234 131
tkill 200 130
truncate 76 45
umount2 166 39
unlink 87 -1
unlinkat 263 35
unshare 272 97
userfaultfd 323 282
utime 132 -1
utimensat 280 88
utimes 235 -1
vfork 58 -1
vmsplice 278 75
clone3 435 435
fchmodat2 452 452
fsconfig 431 431
fsmount 432 432
fsopen 430 430
fspick 433 433
io_uring_enter 426 426
io_uring_register 427 427
io_uring_setup 425 425
memfd_secret 447 447
mount_setattr 442 442
move_mount 429 429
open_tree 428 428
openat2 437 437
pidfd_getfd 438 438
pidfd_open 434 434
pidfd_send_signal 424 424
process_madvise 440 440
process_mrelease 448 448
"""

OPENING = ("creat", "open", "openat", "openat2")
"""The calls that open files by name."""

_COLUMNS = tuple(ARCHITECTURES)
_NUMBERS = {
    name: dict(zip(_COLUMNS, map(int, numbers), strict=True))
    for name, *numbers in (line.split() for line in _TABLE.split("\n") if line)
}
_CONDITIONAL = (
    "clone",
    "clone3",
    "fcntl",
    "ioctl",
    "kill",
    "mmap",
    "prctl",
    "prlimit64",
    "seccomp",
    "tgkill",
)

REFUSED = tuple(name for name in _NUMBERS if name not in {*OPENING, *_CONDITIONAL})
"""The calls that engines in the sandbox never need. Calls that are restricted but not refused are in `seccomp`."""


def number_of(name: str) -> int:
    """Returns the number of a call on this machine; -1 if it does not have it."""
    return _NUMBERS[name][platform.machine()]
