/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The <meta> elements of a page, by libxml2's HTML parser. Only the worker that has neither network nor files calls this. */
#include <libxml/HTMLparser.h>
#include <strings.h>

#include "basic/str.h"
#include "image/discovery.h"

typedef struct Reader {
        DiscoveryPage *page;
        int r;
} Reader;

static void on_element(void *userdata, const xmlChar *element, const xmlChar **attributes) {
        const char *name = NULL, *content = NULL;
        Reader *reader = userdata;

        if (reader->r < 0 || strcasecmp((const char *) element, "meta") != 0 || !attributes)
                return;
        for (const xmlChar **a = attributes; a[0]; a += 2) {
                if (strcasecmp((const char *) a[0], "name") == 0)
                        name = (const char *) a[1];
                else if (strcasecmp((const char *) a[0], "content") == 0)
                        content = (const char *) a[1];
        }
        if (name && content)
                reader->r = discovery_page_add(reader->page, name, content);
}

/**
 * discovery_html_parse() - collect ac-discovery and ac-discovery-pubkeys
 * @html: @size bytes, hostile
 * @size: at most DISCOVERY_PAGE_MAX
 * @ret:  for discovery_page_done(); empty when the page has no such element
 *
 * What stands in comments and scripts is text to an HTML parser, and so is not seen here.
 *
 * Return: 0, -E2BIG, -ENOMEM.
 */
int discovery_html_parse(const char *html, size_t size, DiscoveryPage *ret) {
        _cleanup_(discovery_page_done) DiscoveryPage page = {};
        htmlSAXHandler handler = { .startElement = on_element };
        Reader reader = { .page = &page };
        htmlParserCtxtPtr c;

        if (size > DISCOVERY_PAGE_MAX)
                return -E2BIG;
        c = htmlCreatePushParserCtxt(&handler, &reader, NULL, 0, NULL, XML_CHAR_ENCODING_NONE);
        if (!c)
                return -ENOMEM;
        (void) htmlCtxtUseOptions(c, HTML_PARSE_NONET | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                                             HTML_PARSE_RECOVER);
        if (size > 0)
                (void) htmlParseChunk(c, html, (int) size, 0);
        (void) htmlParseChunk(c, html, 0, 1);
        htmlFreeParserCtxt(c);
        if (reader.r < 0)
                return reader.r;
        *ret = page;
        page = (DiscoveryPage){};
        return 0;
}
