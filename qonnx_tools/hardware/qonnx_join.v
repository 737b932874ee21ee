// even + odd / sqrt(2), where the accumulators of base sqrt 2 meet, once an output:
// even + round_shift(odd * 46341, 16), ties to even.
module qonnx_join #(
    parameter ACC_BITS = 24
) (
    input signed [ACC_BITS-1:0] even,
    input signed [ACC_BITS-1:0] odd,
    output signed [ACC_BITS:0] acc
);
    localparam PRODUCT = ACC_BITS + 17;

    wire signed [PRODUCT-1:0] product = odd * 17'sd46341;
    wire signed [(PRODUCT > 18 ? PRODUCT : 18):0] rounded;
    qonnx_round_shift #(
        .T_BITS(PRODUCT), .MOST_RIGHT(16), .MOST_LEFT(0), .ROUNDING(0)
    ) round (.t(product), .shift(7'sd16), .y(rounded));
    assign acc = {even[ACC_BITS-1], even} + rounded[ACC_BITS:0];
endmodule
