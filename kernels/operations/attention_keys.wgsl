// The keys that a row sees: those of its prompt, part 0, and those of its own sequence, part 1.

#part range
    var key = batch[p.prefix_start + m];
    var end = batch[p.prefix_end + m];
    if (part == 1u) {
      key = batch[p.own_start + m];
      end = batch[p.slot + m] + 1u;
    }
#if WINDOWED
    // Those of its own sequence are the nearest; what they leave of the window lies at the end of the prompt.
    var near = p.window;
    if (part == 0u) { near -= min(near, batch[p.slot + m] + 1u - batch[p.own_start + m]); }
    key = max(key, end - min(near, end));
#endif
#endpart
