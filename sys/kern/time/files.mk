kern += sys/kern/time/timer.c sys/kern/time/clock.c
