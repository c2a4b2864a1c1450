// Within a register tile: adds quad `k` of every row to the partial sums, given four columns of each output in v0, v1, ...
#if FUSED
#for r HALF
          {
            let xr = x[x{r} + k];
#if WINDOW == rows
            let tr = moved_x[x{r} + k];
#else
            let tr = x[x{r+HALF} + k];
#endif
#if SECOND == min
            sum{r} += dot(xr, vec4<f32>(1.0));
            sum{r+HALF} += dot(tr, vec4<f32>(1.0));
#endif
#for c COLS
            p{r}_{c} = fma(xr.x, v{c}.x, fma(xr.y, v{c}.y, fma(xr.z, v{c}.z, fma(xr.w, v{c}.w, p{r}_{c}))));
            p{r+HALF}_{c} = fma(tr.x, v{c}.x, fma(tr.y, v{c}.y, fma(tr.z, v{c}.z, fma(tr.w, v{c}.w, p{r+HALF}_{c}))));
#endfor
          }
#endfor
#else
#for r ROWS
          {
            let xr = x[x{r} + k];
#if SECOND == min
            sum{r} += dot(xr, vec4<f32>(1.0));
#endif
#for c COLS
            p{r}_{c} = fma(xr.x, v{c}.x, fma(xr.y, v{c}.y, fma(xr.z, v{c}.z, fma(xr.w, v{c}.w, p{r}_{c}))));
#endfor
          }
#endfor
#endif
