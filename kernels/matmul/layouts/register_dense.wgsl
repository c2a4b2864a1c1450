// What dense tensors are to a register tile: no units, every element has its own offset. See matmul_register.wgsl.

#part functions

#endpart

// Adds the products of all columns.
#part loop
  var step = 0u;
  loop {
#for c COLS
    let packed{c} = codes[n{c} * (quads / DENSE_QUADS) + step];
#endfor
#for h DENSE_QUADS
    {
      let k = step * DENSE_QUADS + {h}u;
#for c COLS
#if DENSE == f32
      let w{c} = bitcast<vec4<f32>>(packed{c});
#else
      let lo{c} = packed{c}[{h*2}];
      let hi{c} = packed{c}[{h*2+1}];
#if DENSE == f16
      let w{c} = vec4<f32>(unpack2x16float(lo{c}), unpack2x16float(hi{c}));
#else
      let w{c} = bitcast<vec4<f32>>(vec4<u32>(lo{c} << 16u, lo{c} & 0xffff0000u, hi{c} << 16u, hi{c} & 0xffff0000u));
#endif
#endif
#if FORM != none
      let e{c} = (p.first_output + n{c}) * quads + k;
      let o{c} = offsets[e{c}];
#if !MIXED && NOISE
      let v{c} = combine4(w{c}, moved4(o{c}, branch, e{c}));
#elif !MIXED
      let v{c} = combine4(w{c}, o{c});
#endif
#else
      let v{c} = w{c};
#endif
#endfor
#for r ROWS
      {
        let xr = x[x{r} + k];
#if MIXED && FORM != none
#if NOISE
#for c COLS
        acc{r}_{c} += dot(xr, combine4(w{c}, moved4(o{c}, branch{r}, e{c})));
#endfor
#else
#for c COLS
        acc{r}_{c} += dot(xr, combine4(w{c}, o{c}));
#endfor
#endif
#else
#for c COLS
        acc{r}_{c} += dot(xr, v{c});
#endfor
#endif
      }
#endfor
    }
#endfor
    step++;
    if (step >= quads / DENSE_QUADS) { break; }
  }
#endpart
