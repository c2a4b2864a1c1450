/**
 * Preloaded into a test run by `shader_hashes.ts --compiled`: appends the SHA-256 and the label of every shader that a device compiles to
 * the file that `QZO_SHADER_HASHES` names.
 *
 * @module
 */
import { createHash } from "node:crypto";

const path = Deno.env.get("QZO_SHADER_HASHES");
if (path) {
  const seen = new Set<string>();
  const compile = GPUDevice.prototype.createShaderModule;
  GPUDevice.prototype.createShaderModule = function (descriptor) {
    const hash = createHash("sha256").update(descriptor.code).digest("hex");
    if (!seen.has(hash)) {
      seen.add(hash);
      Deno.writeTextFileSync(path, `${hash}  ${descriptor.label ?? ""}\n`, { append: true });
    }
    return compile.call(this, descriptor);
  };
}
