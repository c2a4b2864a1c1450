/**
 * Software drivers that a process can be made to use, where they and a Vulkan loader are installed: without the loader Deno finds
 * OpenGL, whatever driver is named.
 *
 * @module
 */
import { fromFileUrl } from "@std/path";
import { exists } from "./shared_data.ts";

function hasLoader(): boolean {
  for (const name of ["libvulkan.so.1", "libvulkan.1.dylib", "vulkan-1.dll"]) {
    try {
      Deno.dlopen(name, {}).close();
      return true;
    } catch {
      continue;
    }
  }
  return false;
}

function firstOf(paths: readonly string[]): string | undefined {
  return hasLoader() ? paths.find(exists) : undefined;
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
