import http from "node:http";

import { expect, test } from "./fixtures";

/** Bytes of a body as they cross the wire, for a browser that takes brotli. */
function sent(url: string): Promise<{ bytes: number; headers: http.IncomingHttpHeaders; body: string }> {
  const headers = { accept: "text/html", "accept-encoding": "br, gzip" };
  return new Promise((resolve, reject) => {
    http
      .get(url, { headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("end", () => {
          const body = Buffer.concat(chunks);
          resolve({ bytes: body.length, headers: response.headers, body: body.toString() });
        });
      })
      .on("error", reject);
  });
}

test("a first visit keeps to its budget of bytes", async ({ baseURL }, { project }) => {
  test.skip(project.name !== "javascript", "the bytes are the same for all");
  const page = await sent(`${baseURL}/`);
  const files = [...new Set(page.body.match(/\/pkg\/[^"']+\.(js|wasm|css)/g))];
  expect(files).toHaveLength(3);
  const bytes: Record<string, number> = { html: page.bytes };
  for (const file of files) {
    const { bytes: size, headers } = await sent(`${baseURL}${file}`);
    expect(headers["content-encoding"], file).toBe("br");
    expect(headers["cache-control"], file).toContain("immutable");
    bytes[file.split(".").at(-1)!] = size;
  }
  console.log("bytes of a first visit:", bytes);
  expect(bytes.html).toBeLessThanOrEqual(6 * 1024);
  expect(bytes.css).toBeLessThanOrEqual(8 * 1024);
  expect(bytes.js + bytes.wasm).toBeLessThanOrEqual(76 * 1024);
});
