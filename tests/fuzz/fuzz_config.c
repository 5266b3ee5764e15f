/* Both daemons' configurations, through the INI reader. */
#include "config.h"

#include "common/err.h"
#include "coordinator/config.h"
#include "daemon/config.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct err err;

	if (len == 0)
		return 0;
	if (data[0] % 2 == 0)
		site_config_free(
		    site_config_parse("f", data + 1, len - 1, &err));
	else
		coordinator_config_free(
		    coordinator_config_parse("f", data + 1, len - 1, &err));
	return 0;
}

void
fuzz_seeds(fuzz_put *put)
{
	fuzz_put_text(put, 0,
	    "[site]\nname = a\nstate = /s\nkeys = /k\n"
	    "[coordinator]\naddress = [::1]:7443\nserver-name = h\n"
	    "[officer]\npublic-key = d75a980182b10ab7d54bfed3c964073a"
	    "0ee172f3daa62325af021a68f707511a\n"
	    "[source]\ncsv = /a.csv\n[source b]\ncsv =\n  /b.csv\n"
	    "[policy]\npurposes = \"a, b*\", c\nsmallest-k = 5\n"
	    "largest-suppression = 0.1\ncohort = open\n"
	    "[control]\nsocket = /c\noperator-group = g\n"
	    "[board]\nlisten = localhost:0\n[sandbox]\nrequire = files\n");
	fuzz_put_text(put, 1,
	    "\xef\xbb\xbf# c\r\n[coordinator]\r\nname = c\r\nstate = /s\r\n"
	    "keys = /k\r\nlisten = h:1\r\n[control]\r\nsocket = /c\r\n");
}
