# SPDX-License-Identifier: BSD-2-Clause
explore_bugs += none lazy equality hysteresis nokick pending mailbox interlock fence
