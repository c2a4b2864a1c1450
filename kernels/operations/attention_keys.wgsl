// The keys that a row sees: those of its prompt, part 0, those of its own sequence, part 1, and with SHARED those that all rows see, part 2.

#part range
    var key = batch[p.prefix_start + m];
    var end = batch[p.prefix_end + m];
    if (part == 1u) {
      key = batch[p.own_start + m];
      end = batch[p.slot + m] + 1u;
    }
#if SHARED
    if (part == 2u) {
      key = p.key_rows;
      end = key + p.shared_keys;
    }
#endif
#if WINDOWED
    // Those of its own sequence are the nearest; what they leave of the window lies at the end of the prompt.
    var near = p.window;
    if (part == 0u) { near -= min(near, batch[p.slot + m] + 1u - batch[p.own_start + m]); }
#if SHARED
    if (part == 2u) {
      let prompt = batch[p.prefix_end + m] - batch[p.prefix_start + m];
      near -= min(near, prompt + batch[p.slot + m] + 1u - batch[p.own_start + m]);
    }
#endif
    key = max(key, end - min(near, end));
#endif
#endpart
