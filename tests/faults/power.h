/*
 * What a loss of power leaves of the folder of a state: only what was synced is
 * sure to be there, a file's bytes by the file's own fsync(), its name by that
 * of its folder.  Of the rest nothing is left, or a part that chance chooses:
 * some of the writes, some cut at a sector, some of the names.  A rename is done
 * or not, as by any file system with a journal (ext4, XFS, btrfs): its file never
 * loses both names.
 *
 * The shim records what the process does (tests/faults/fault.h); this repeats
 * it in memory, checks that all of it together is what stands on the disk, and
 * then takes back what was not sure.
 */
#ifndef TESTS_FAULTS_POWER_H
#define TESTS_FAULTS_POWER_H

struct fault;

/* From here on is recorded; what is there now is sure.  Before the start. */
void power_on(const char *state, struct fault *f);
/* After the kill.  seed 0: nothing is left that was not sure. */
void power_loss(const char *state, struct fault *f, unsigned seed);

#endif
