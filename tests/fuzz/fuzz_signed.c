/*
 * What is signed and comes from outside: manifest, study, approval, request to
 * join, welcome, report, checkpoint and its countersignature.  The content is
 * fuzzed and then signed, so that the decoders behind the signature are
 * reached; with N and above the whole object is.
 */
#include "config.h"

#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "common/canon.h"
#include "common/err.h"
#include "common/macros.h"
#include "crypto/approval.h"
#include "crypto/checkpoint.h"
#include "crypto/join.h"
#include "crypto/manifest.h"
#include "crypto/signed_report.h"
#include "crypto/signed_study.h"
#include "tests/fuzz/fuzz.h"

static const char *const types[] = { MANIFEST_TYPE, SIGNED_STUDY_TYPE,
	APPROVAL_TYPE, JOIN_REQUEST_TYPE, JOIN_WELCOME_TYPE, SIGNED_REPORT_TYPE,
	CHECKPOINT_TYPE, COUNTERSIGNED_TYPE };
#define N nitems(types)

static const struct key *
the_key(void)
{
	static struct key *k;
	struct err err;

	if (k == NULL) {
		FUZZ_MUST(sodium_init() >= 0);
		FUZZ_MUST((k = key_new(&err)) != NULL);
	}
	return k;
}

static void
open_one(size_t type, const void *p, size_t len)
{
	const uint8_t *pk = key_public(the_key());
	static struct join_request request;
	static struct join_welcome welcome;
	uint8_t officers[1][KEY_PUBLIC];
	struct signed_report report;
	struct checkpoint c;
	struct approval a;
	struct err err;

	switch (type) {
	case 0:
		manifest_free(manifest_open(p, len, pk, &err));
		break;
	case 1:
		signed_study_free(signed_study_open(p, len, pk, &err));
		break;
	case 2:
		memcpy(officers[0], pk, KEY_PUBLIC);
		approval_open(p, len, officers, 1, &a, &err);
		break;
	case 3:
		join_request_open(p, len, &request, &err);
		break;
	case 4:
		join_welcome_open(p, len, &welcome, &err);
		break;
	case 5:
		signed_report_open(p, len, pk, &report, &err);
		break;
	case 6:
		checkpoint_open(p, len, pk, &c, &err);
		break;
	default:
		checkpoint_open_countersigned(p, len, pk, pk, &c, &err);
	}
}

/* A content names the key that signs it: the fuzzer cannot know it. */
static void
put_in_key(uint8_t *content, size_t len)
{
	static const uint8_t mark[8] = "OUR-KEY!";
	uint8_t *at = NULL;

	if (len > 0)
		at = memmem(content, len, mark, sizeof(mark));
	if (at != NULL && len - (size_t)(at - content) >= KEY_PUBLIC)
		memcpy(at, key_public(the_key()), KEY_PUBLIC);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct canon content = { 0 }, object = { 0 };
	struct err err;
	size_t type;

	if (len == 0)
		return 0;
	type = data[0] % (2 * N);
	if (type >= N) {
		open_one(type - N, data + 1, len - 1);
		return 0;
	}
	canon_raw(&content, data + 1, len - 1);
	put_in_key(content.data, content.len);
	if (signed_make(the_key(), types[type], content.data, content.len,
		&object, &err) == 0)
		open_one(type, object.data, object.len);
	canon_free(&content);
	canon_free(&object);
	return 0;
}

/* The content of a signed object, with our key replaced by the mark. */
static void
put_object(fuzz_put *put, size_t type, struct canon *object)
{
	const uint8_t *content;
	uint8_t copy[4096], *at;
	struct err err;
	size_t len;

	FUZZ_MUST(signed_peek(object->data, object->len, types[type], 1 << 20,
		      &content, &len, &err) == 0 &&
	    len <= sizeof(copy));
	memcpy(copy, content, len);
	at = memmem(copy, len, key_public(the_key()), KEY_PUBLIC);
	if (at != NULL)
		memcpy(at, "OUR-KEY!", 8);
	fuzz_put_bytes(put, (int)type, copy, len);
	fuzz_put_bytes(put, (int)(type + N), object->data, object->len);
	canon_free(object);
}

void
fuzz_seeds(fuzz_put *put)
{
	const struct key *k = the_key();
	struct manifest_site sites[3] = { 0 };
	struct manifest m = { .consortium = "c",
		.epoch = 1,
		.policy = manifest_policy_default(),
		.coordinator = { .name = "coordinator" },
		.sites = sites,
		.n_sites = 3 };
	uint16_t ids[3] = { 1, 2, 3 };
	char text[] = "[study]\nname = s\n";
	struct signed_study s = { .epoch = 1,
		.sites = ids,
		.n_sites = 3,
		.text = text,
		.text_len = strlen(text) };
	struct approval a = { .verdict = APPROVAL_APPROVE, .utc = 1800000000 };
	struct join_request r = {
		.role = JOIN_SITE, .name = "a", .spki_len = 44
	};
	struct join_welcome w = { .role = JOIN_SITE,
		.consortium = "c",
		.name = "a",
		.tls_pem = "-----BEGIN CERTIFICATE-----\n",
		.ca_pem = "-----BEGIN CERTIFICATE-----\n" };
	struct signed_report report = { .study = { 1 } };
	struct checkpoint c = { .state.count = 7, .utc = 1800000000 };
	struct canon object = { 0 }, checkpoint = { 0 };
	struct err err;
	uint8_t sk[KEY_SECRET];

	crypto_sign_keypair(m.coordinator.key, sk);
	for (size_t i = 0; i < 3; i++) {
		sites[i].id = (uint16_t)(i + 1);
		sites[i].active = true;
		sites[i].member.name[0] = (char)('a' + i);
		sites[i].member.tls[0] = (uint8_t)(i + 1);
		crypto_sign_keypair(sites[i].member.key, sk);
	}
	memcpy(w.key, sites[0].member.key, KEY_PUBLIC);
	memcpy(w.coordinator, m.coordinator.key, KEY_PUBLIC);
	if (manifest_sign(&m, k, &object, &err) == 0)
		put_object(put, 0, &object);
	if (signed_study_sign(&s, k, &object, &err) == 0)
		put_object(put, 1, &object);
	if (approval_sign(&a, k, &object, &err) == 0)
		put_object(put, 2, &object);
	if (join_request_sign(&r, k, &object, &err) == 0)
		put_object(put, 3, &object);
	if (join_welcome_sign(&w, k, &object, &err) == 0)
		put_object(put, 4, &object);
	if (signed_report_sign(&report, k, &object, &err) == 0)
		put_object(put, 5, &object);
	if (checkpoint_sign(&c, k, &checkpoint, &err) == 0 &&
	    checkpoint_countersign(checkpoint.data, checkpoint.len, 1800000001,
		k, &object, &err) == 0)
		put_object(put, 7, &object);
	put_object(put, 6, &checkpoint);
}
