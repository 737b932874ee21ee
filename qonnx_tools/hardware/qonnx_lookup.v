// Any function of a code: y = table[x - lowest code], read from FILE.
//
// x has IN_BITS bits, the table's codes TABLE_BITS: those beyond read its end.
module qonnx_lookup #(
    parameter IN_BITS = 8,
    parameter IN_SIGNED = 1,
    parameter TABLE_BITS = 8,
    parameter TABLE_SIGNED = 1,
    parameter Y_BITS = 8,
    parameter FILE = ""
) (
    input [IN_BITS-1:0] x,
    output [Y_BITS-1:0] y
);
    localparam WIDE = (IN_BITS > TABLE_BITS ? IN_BITS : TABLE_BITS) + 2;
    localparam signed [WIDE-1:0] LOWEST = TABLE_SIGNED ? -(1 << (TABLE_BITS - 1)) : 0;
    localparam signed [WIDE-1:0] LAST = (1 << TABLE_BITS) - 1;

    reg [Y_BITS-1:0] table_of_codes[0:(1<<TABLE_BITS)-1];
    initial $readmemh(FILE, table_of_codes);

    wire signed [WIDE-1:0] wide = {{(WIDE - IN_BITS) {IN_SIGNED ? x[IN_BITS-1] : 1'b0}}, x};
    wire signed [WIDE-1:0] place = wide - LOWEST;
    wire [WIDE-1:0] bounded = place[WIDE-1] ? {WIDE{1'b0}} : place > LAST ? LAST : place;
    assign y = table_of_codes[bounded[TABLE_BITS-1:0]];
endmodule
