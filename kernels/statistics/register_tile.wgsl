// Sums of products that an invocation keeps in registers: of 8 rows, whose values are a and b, by 8 columns, whose values are low and high.

#part zero
#for r 8
  var low{r} = vec4<f32>();
  var high{r} = vec4<f32>();
#endfor
#endpart

#part add
#for r 4
    low{r} += a[{r}] * low;
    high{r} += a[{r}] * high;
    low{r+4} += b[{r}] * low;
    high{r+4} += b[{r}] * high;
#endfor
#endpart
