/*
 * Who stays connected to a server.  gRPC accepts whoever comes, keeps each for
 * the time of a handshake, and never accepts again once it was out of
 * descriptors.  So the listen(), accept4() and close() that it calls are ours,
 * by the rules of the dynamic linker, and whom there is no place for is let go:
 *
 *   - an address (of IPv6: a network of 64 bits) that connects too often is
 *     not let in;
 *   - an address has so many connections on which no member has called yet,
 *     and a member so many: the oldest makes room for the next;
 *   - so do, when there are too many of all, the oldest on which no member has
 *     called; if there is none, who comes is not let in.
 *
 * One door for all servers of a process.  Any thread may call.
 */
#ifndef RPC_DOOR_H
#define RPC_DOOR_H

#include <stddef.h>
#include <stdint.h>

#define DOOR_ALL_MAX 2048 /* or half of the descriptors there may be */
#define DOOR_ADDRESS_MAX 64 /* of one address, without a member */
#define DOOR_MEMBER_MAX 8
#define DOOR_RATE_PER_S 50 /* connections of one address */
#define DOOR_RATE_BURST 200

/* The member who has called on the connection of peer, as gRPC writes it. */
void door_member(const char *peer, uint32_t who);

/* How many connections were ended or not let in since the last call, and the
   address of the last of them. */
#define DOOR_ADDRESS_SIZE 64
size_t door_turned_away(char address[DOOR_ADDRESS_SIZE]);

#endif
