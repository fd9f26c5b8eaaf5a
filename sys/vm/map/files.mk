# SPDX-License-Identifier: BSD-2-Clause
kern += sys/vm/map/anon.c sys/vm/map/object.c sys/vm/map/pmap.c sys/vm/map/space.c sys/vm/map/fault.c
kern += sys/vm/map/advise.c sys/vm/map/revoke.c sys/vm/map/gates.c sys/vm/map/uaccess.c sys/vm/map/uio.c
