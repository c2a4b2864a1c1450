/**
 * Software drivers that a process can be made to use, where they and a Vulkan loader are installed: without the loader Deno finds
 * OpenGL, whatever driver is named.
 *
 * @module
 */
import { fromFileUrl } from "@std/path";
import { exists } from "./shared_data.ts";

const loader = [
  "/usr/lib/x86_64-linux-gnu",
  "/usr/lib/aarch64-linux-gnu",
  "/usr/lib64",
  "/usr/lib",
  "/usr/local/lib",
].map((folder) => `${folder}/libvulkan.so.1`).find(exists);

function firstOf(paths: readonly string[]): string | undefined {
  return loader === undefined ? undefined : paths.find(exists);
}

/** Mesa's. */
export const lavapipe: string | undefined = firstOf(
  ["x86_64", "aarch64"].map((machine) => `/usr/share/vulkan/icd.d/lvp_icd.${machine}.json`),
);

/** Chromium's. */
export const swiftShader: string | undefined = firstOf([
  fromFileUrl(new URL("../../.tools/swiftshader/vk_swiftshader_icd.json", import.meta.url)),
  "/usr/lib/chromium/vk_swiftshader_icd.json",
]);
