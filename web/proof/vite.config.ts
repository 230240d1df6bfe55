import { createHash } from "node:crypto";
import { defineConfig, type Plugin } from "vite";

const sourceOf = (content: string): string =>
  `'sha256-${createHash("sha256").update(content).digest("base64")}'`;

// Puts script and style into the page, and a policy that lets these two run and nothing be loaded
// or sent.
function oneFile(): Plugin {
  return {
    name: "one-file",
    enforce: "post",
    generateBundle(_, bundle) {
      let page, script, style;
      for (const [name, file] of Object.entries(bundle)) {
        if (file.type === "chunk") script = file.code.replaceAll("</", "<\\/");
        else if (name.endsWith(".css")) style = String(file.source);
        else if (name.endsWith(".html")) page = file;
        if (!name.endsWith(".html")) delete bundle[name];
      }
      if (page?.type !== "asset" || !script || !style) throw new Error("not one of each");
      const policy =
        `default-src 'none'; script-src ${sourceOf(script)}; style-src ${sourceOf(style)}; ` +
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'";
      const head = [
        `<meta http-equiv="Content-Security-Policy" content="${policy}">`,
        `<style>${style}</style>`,
        `<script type="module">${script}</script>`,
      ].join("\n");
      const bare = String(page.source).replace(/<(script|link)[^>]*>(<\/script>)?\s*/g, "");
      page.source = bare.replace('<meta charset="utf-8">', (charset) => `${charset}\n${head}`);
    },
  };
}

export default defineConfig({
  plugins: [oneFile()],
  build: {
    outDir: "../../build/web/proof",
    emptyOutDir: true,
    modulePreload: false,
    target: "es2022",
  },
});
