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

test("pages keep to their budget of bytes", async ({ baseURL }, { project }) => {
  test.skip(project.name !== "javascript", "the bytes are the same for all");
  const first = await sent(`${baseURL}/`);
  const desk = await sent(`${baseURL}/messages`);
  const files = [...new Set(desk.body.match(/\/pkg\/[^"']+\.(js|wasm|css)/g))];
  expect(files).toHaveLength(3);
  expect(first.body.match(/\/pkg\//g), "a first visit brings the style alone").toHaveLength(1);
  const bytes: Record<string, number> = { html: first.bytes };
  for (const file of files) {
    const { bytes: size, headers } = await sent(`${baseURL}${file}`);
    expect(headers["content-encoding"], file).toBe("br");
    expect(headers["cache-control"], file).toContain("immutable");
    bytes[file.split(".").at(-1)!] = size;
  }
  const start = desk.body.match(/\/start\.[^"']+\.js/)?.[0];
  bytes.js += (await sent(`${baseURL}${start}`)).bytes;
  const style = desk.body.match(/\/flash\.[^"']+\.css/)?.[0];
  bytes.css += (await sent(`${baseURL}${style}`)).bytes;
  console.log("bytes of a first visit, and of the script that the first message brings:", bytes);
  expect(bytes.html).toBeLessThanOrEqual(6 * 1024);
  expect(bytes.css).toBeLessThanOrEqual(8 * 1024);
  expect(bytes.js + bytes.wasm).toBeLessThanOrEqual(60 * 1024);
});
